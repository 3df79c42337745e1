#include "common/log/complaint.h"

#include <fmt/format.h>
#include <unistd.h>

#include "common/log/line_output.h"

namespace compositord::log {

void Complaint::failed(const std::string& what) {
  well_ = 0;
  if (said_) return;
  said_ = LineOutput(STDERR_FILENO).write(fmt::format("{}: {}; {}\n", program_, what, consequence_));
}

void Complaint::went_well() noexcept {
  if (!said_ || ++well_ < kWellAfter) return;
  said_ = false;
  well_ = 0;
}

}  // namespace compositord::log
