#pragma once
// The messages of org.gnome.Mutter.DisplayConfig: what GetCurrentState answers, and what ApplyMonitorsConfig takes.
// Source: org.gnome.Mutter.DisplayConfig.xml of Mutter 43.
//
//   GetCurrentState() -> u serial
//                        a((ssss) a(siiddada{sv}) a{sv})   monitors: connector, vendor, product, serial; modes: id, width, height,
//                                                          refresh, preferred scale, scales, properties; properties
//                        a(iiduba(ssss)a{sv})              logical monitors: x, y, scale, transform, primary, monitors, properties
//                        a{sv}                             properties: "layout-mode" 1: logical positions, 2: physical ones
//   ApplyMonitorsConfig(u serial, u method, a(iiduba(ssa{sv})), a{sv})   method 0: only verify, 1: temporary, 2: persistent

#include <cstdint>
#include <vector>

#include "agent/mutter/display_state.h"
#include "agent/mutter/layout.h"
#include "common/base/result.h"

namespace sdbus {
class Message;
}

namespace compositord::agent::mutter {

inline constexpr const char* kDisplayConfigName = "org.gnome.Mutter.DisplayConfig";  // and the interface's
inline constexpr const char* kDisplayConfigPath = "/org/gnome/Mutter/DisplayConfig";

// Temporary: a display's layout is the bus's to say while it runs; Mutter's own monitors.xml is left alone.
enum class ApplyMethod : std::uint32_t { kVerify = 0, kTemporary = 1 };

// Errors: kMalformed, kTooLarge when a list is longer than any real one.
Result<DisplayState> decode_state(sdbus::Message& reply);
// Throws sdbus::Error, as all of sdbus-c++'s writing does.
void encode_configuration(sdbus::Message& call, std::uint32_t serial, ApplyMethod method,
                          const std::vector<Place>& places);

}  // namespace compositord::agent::mutter
