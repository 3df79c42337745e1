#pragma once
// What the kernel tells of its devices: "change@/devices/…" and KEY=VALUE pairs, each ended by a zero byte.
// Source: the kernel's lib/kobject_uevent.c; for WEDGED its Documentation/gpu/drm-uapi.rst, "Device Wedging".

#include <optional>
#include <string>
#include <string_view>

namespace compositord::agent {

struct Uevent {
  std::string action;     // "change"
  std::string device;     // "/devices/pci0000:00/0000:00:02.0/drm/card0"
  std::string subsystem;  // "drm"
  bool hotplug = false;   // HOTPLUG=1: a connector has changed
  std::string
      wedged;  // how the device may be recovered: "none", "rebind", "bus-reset", "unknown"; empty when it is well
};

// None for what is no uevent of the kernel: udev's own messages begin with "libudev".
std::optional<Uevent> parse_uevent(std::string_view bytes);

}  // namespace compositord::agent
