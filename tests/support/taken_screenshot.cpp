#include "tests/support/taken_screenshot.h"

#include <variant>

#include "common/base/clock.h"

namespace compositord::test {

TakenScreenshot take_screenshot(DriverLoop& loop, const msg::Value& params, std::chrono::milliseconds deadline) {
  TakenScreenshot taken;
  taken.finished = loop.run("screenshot", params, deadline);
  for (const agent::DriverEvent& event : loop.out.events) {
    const auto* part = std::get_if<agent::driver_event::CommandPart>(&event);
    if (part != nullptr && part->command_id == taken.finished.command_id) taken.png += part->bytes;
  }
  taken.image = decode_png(taken.png);
  return taken;
}

TakenScreenshot take_screenshot_until(DriverLoop& loop, const msg::Value& params, std::uint32_t x, std::uint32_t y,
                                      std::uint32_t colour) {
  const Instant end = monotonic_now() + std::chrono::seconds(10);
  TakenScreenshot taken = take_screenshot(loop, params);
  while (taken.image.at(x, y) != colour && monotonic_now() < end) {
    std::erase_if(loop.out.events, [](const agent::DriverEvent& event) {
      return std::holds_alternative<agent::driver_event::CommandPart>(event);
    });
    taken = take_screenshot(loop, params);
  }
  return taken;
}

}  // namespace compositord::test
