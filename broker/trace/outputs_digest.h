#pragma once
// One number for what a step of the core gave: two runs of the same inputs must have the same.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/core/outputs.h"

namespace compositord::broker {

// FNV-1a with 64 bits. Not against forgery: against chance. Source: Fowler, Noll, Vo; draft-eastlake-fnv.
class Fnv {
 public:
  void add(std::string_view bytes) noexcept;
  void add(std::uint64_t number) noexcept;
  std::uint64_t value() const noexcept { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

struct OutputsDigest {
  std::uint64_t digest = 0;
  std::uint64_t count = 0;  // what is in the lists of Outputs, all together
  friend bool operator==(const OutputsDigest&, const OutputsDigest&) = default;
};

// How far the lists of a turn were filled before a step: the core only appends.
struct OutputsMark {
  std::size_t store_writes = 0;
  std::size_t store_reads = 0;
  std::size_t sends = 0;
  std::size_t publishes = 0;
  std::size_t notices = 0;
  std::size_t reloads = 0;
  std::size_t log_levels = 0;
  std::size_t log = 0;
};
OutputsMark mark_of(const Outputs& outputs) noexcept;
// Of what was appended since the mark.
OutputsDigest digest_since(const OutputsMark& mark, const Outputs& outputs);

}  // namespace compositord::broker
