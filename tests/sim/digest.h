#pragma once
// One number for everything the cores have said in a run: two runs of one seed must have the same.

#include <cstdint>
#include <string_view>

#include "common/base/instant.h"
#include "common/wire/frames.h"

namespace compositord::sim {

class Digest {
 public:
  void add(std::string_view bytes) noexcept;
  void add(Instant at) noexcept;
  void add(const wire::Frames& frames) noexcept;
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace compositord::sim
