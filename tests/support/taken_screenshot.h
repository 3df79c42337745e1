#pragma once
// `screenshot` of a driver, with its parts put together again and decoded.

#include <chrono>
#include <string>

#include "agent/driver_event.h"
#include "common/msg/value.h"
#include "tests/support/driver_loop.h"
#include "tests/support/png_image.h"

namespace compositord::test {

struct TakenScreenshot {
  agent::driver_event::CommandFinished finished;
  std::string png;
  PngImage image;  // with an error when there is none
};

TakenScreenshot take_screenshot(DriverLoop& loop, const msg::Value& params = msg::Value::map(),
                                std::chrono::milliseconds deadline = std::chrono::seconds(10));
// Again and again, until the picture has this colour there: a client that draws says nothing to us. The last one, whatever it shows.
TakenScreenshot take_screenshot_until(DriverLoop& loop, const msg::Value& params, std::uint32_t x, std::uint32_t y,
                                      std::uint32_t colour);

}  // namespace compositord::test
