#pragma once
// A test's own Xvfb with the X11 driver on it.

#include <gtest/gtest.h>

#include <string>

#include "agent/x11/x11_driver.h"
#include "tests/support/driver_loop.h"
#include "tests/support/x_display.h"

namespace compositord::test {

inline const msg::Part* find_part(const msg::Manifest& manifest, const std::string& role) {
  if (!manifest.parts) return nullptr;
  for (const msg::Part& part : *manifest.parts) {
    if (part.role == role) return &part;
  }
  return nullptr;
}

inline std::string as_text(const msg::Manifest& manifest) { return msg::encode_json(msg::to_value(manifest), 1); }

class OnXvfb : public ::testing::Test {
 protected:
  OnXvfb()
      : display_(dir_),
        server_(display_.xvfb()),
        loop_(agent::DisplaySettings{{}, display_.socket_path(), {}}, agent::x11::make_x11_driver) {}

  const msg::Manifest* manifest() const {
    const auto* described = loop_.last<agent::driver_event::Described>();
    return described == nullptr ? nullptr : &described->manifest;
  }
  bool wait_for_name(const std::string& name) {
    return loop_.run_until([&] { return manifest() != nullptr && manifest()->name == name; });
  }

  RuntimeDir dir_;
  XDisplay display_;
  CompositorProcess server_;
  DriverLoop loop_;
};

}  // namespace compositord::test
