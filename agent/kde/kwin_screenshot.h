#pragma once
// Screenshots of KWin by org.kde.KWin.ScreenShot2: whether it gives us any, and the capture of outputs, one after the other, through
// a pipe of which we have the reading end.
//
// KWin has the object only while it draws with OpenGL, and refuses whoever no .desktop file names. Both may change while it runs, so it
// is asked again. Source: org.kde.KWin.ScreenShot2.xml and screenshotdbusinterface2.cpp of KWin 5.27.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/capture/capture.h"
#include "agent/capture/shot_target.h"
#include "agent/dbus/name_owner.h"
#include "agent/dbus/session_bus.h"
#include "agent/output/output_command.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent::kde {

// Where a pixel's colours are, by the number that QImage::Format has for it. Errors: kFailed for one that we don't read.
Result<PixelLayout> pixel_layout(std::uint32_t qimage_format);

class KwinScreenshot {
 public:
  static constexpr Duration kAnswerTime = std::chrono::seconds(5);
  // The object comes a moment after the name, once KWin has a scene to draw.
  static constexpr Duration kAskAgainFirst = std::chrono::milliseconds(500);
  static constexpr Duration kAskAgainMax = std::chrono::minutes(1);

  // Both must outlive this; a capture outlives neither.
  KwinScreenshot(dbus::SessionBus& bus, const dbus::NameOwner& owner);

  // Asks what is to be asked. To be called after the owner's own service().
  void service(Instant now);
  Instant next_deadline() const noexcept { return ask_at_; }
  bool take_changed() noexcept { return std::exchange(changed_, false); }
  // Why there are none, as the end of "the compositor …"; empty when there are.
  const std::string& obstacle() const noexcept { return obstacle_; }
  Result<std::unique_ptr<Capture>> begin(const ScreenshotRequest& request, const std::vector<KnownOutput>& outputs);

 private:
  void ask(Instant now);
  void settle(std::string obstacle);

  dbus::SessionBus& bus_;
  const dbus::NameOwner& owner_;
  std::uint64_t owner_changes_ = 0;
  std::string program_;  // what a .desktop file would have to name
  std::string obstacle_;
  bool changed_ = false;
  Instant ask_at_ = kNever;
  Duration ask_after_ = kAskAgainFirst;
  Instant now_;
};

}  // namespace compositord::agent::kde
