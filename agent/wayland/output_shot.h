#pragma once
// One output's picture on its way from a Wayland compositor, by whichever protocol.

#include <memory>
#include <optional>
#include <utility>

#include "agent/capture/shot.h"
#include "agent/wayland/registry_mirror.h"
#include "common/base/result.h"

namespace compositord::agent {

class OutputShot {
 public:
  OutputShot() = default;
  virtual ~OutputShot() = default;
  OutputShot(const OutputShot&) = delete;
  OutputShot& operator=(const OutputShot&) = delete;

  // Its pixels, or why there are none; nothing while the compositor has not answered. The error is the end of the sentence
  // "compositor, output: …"; kUnsupported: it does not permit us any.
  const std::optional<Result<Pixels>>& outcome() const noexcept { return outcome_; }
  Pixels take_pixels() { return std::move(**outcome_); }

 protected:
  void end(Result<Pixels> outcome) {
    if (!outcome_) outcome_.emplace(std::move(outcome));
  }

 private:
  std::optional<Result<Pixels>> outcome_;
};

class OutputShooter {
 public:
  OutputShooter() = default;
  virtual ~OutputShooter() = default;
  OutputShooter(const OutputShooter&) = delete;
  OutputShooter& operator=(const OutputShooter&) = delete;

  // Asks for the picture. The output's proxy, and this object, must outlive the shot.
  virtual std::unique_ptr<OutputShot> shoot(const PlacedOutput& output) = 0;
  // Whether more than one shot may be under way.
  virtual bool takes_several() const noexcept = 0;
};

}  // namespace compositord::agent
