#pragma once
// Whether something comes and goes: the share of changes among its last 20 results. It begins to flap at 30 % and ends below
// 25 %, as network monitoring has done it for long. Source: schemas/PROTOCOL.md "Alerts".

#include <cstdint>

namespace compositord::broker {

class FlapDetector {
 public:
  // One more result. Returns whether it flaps now.
  bool add(bool bad) noexcept;
  bool flapping() const noexcept { return flapping_; }
  // 0 … 100.
  int change_percent() const noexcept;
  // Nothing but good results are left: what is forgotten now makes no difference.
  bool calm() const noexcept { return results_ == 0; }

 private:
  std::uint32_t results_ = 0;  // the newest in bit 0; 1: bad. Before the first one all was well.
  bool flapping_ = false;
};

}  // namespace compositord::broker
