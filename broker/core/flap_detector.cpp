#include "broker/core/flap_detector.h"

namespace compositord::broker {

namespace {

constexpr int kChanges = 20;  // between 21 results
constexpr std::uint32_t kResultsMask = (1U << (kChanges + 1)) - 1;
constexpr std::uint32_t kChangesMask = (1U << kChanges) - 1;
constexpr int kBeginPercent = 30;
constexpr int kEndPercent = 25;

}  // namespace

bool FlapDetector::add(bool bad) noexcept {
  results_ = ((results_ << 1U) | (bad ? 1U : 0U)) & kResultsMask;
  const int percent = change_percent();
  flapping_ = flapping_ ? percent >= kEndPercent : percent >= kBeginPercent;
  return flapping_;
}

int FlapDetector::change_percent() const noexcept {
  int changes = 0;
  for (std::uint32_t left = (results_ ^ (results_ >> 1U)) & kChangesMask; left != 0; left &= left - 1) ++changes;
  return changes * 100 / kChanges;
}

}  // namespace compositord::broker
