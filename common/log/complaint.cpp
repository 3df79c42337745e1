#include "common/log/complaint.h"

#include <fmt/format.h>

#include <cstdio>

namespace compositord::log {

void Complaint::failed(const std::string& what) {
  well_ = 0;
  if (said_) return;
  said_ = true;
  fmt::print(stderr, "{}: {}; {}\n", program_, what, consequence_);
  std::fflush(stderr);
}

void Complaint::went_well() noexcept {
  if (!said_ || ++well_ < kWellAfter) return;
  said_ = false;
  well_ = 0;
}

}  // namespace compositord::log
