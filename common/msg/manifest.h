#pragma once
// The manifest: what a compositor *is*. Written by the agent, kept by the broker, read by everybody.
// Source: schemas/messages/manifest.json, schemas/PROTOCOL.md "Manifest".

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/msg/fields.h"

namespace compositord::msg {

enum class DisplayKind : std::uint8_t { kWayland, kX11 };
constexpr auto enum_names(DisplayKind) {
  return std::array<EnumName<DisplayKind>, 2>{{{DisplayKind::kWayland, "wayland"}, {DisplayKind::kX11, "x11"}}};
}

enum class Transform : std::uint8_t { k0, k90, k180, k270, kFlipped, kFlipped90, kFlipped180, kFlipped270 };
// In the order of wl_output.transform, and with the names that sway and wlr-randr use.
constexpr auto enum_names(Transform) {
  return std::array<EnumName<Transform>, 8>{{{Transform::k0, "normal"},
                                             {Transform::k90, "90"},
                                             {Transform::k180, "180"},
                                             {Transform::k270, "270"},
                                             {Transform::kFlipped, "flipped"},
                                             {Transform::kFlipped90, "flipped-90"},
                                             {Transform::kFlipped180, "flipped-180"},
                                             {Transform::kFlipped270, "flipped-270"}}};
}

struct Mode {
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  std::uint32_t refresh_mhz = 0;  // millihertz; 0 when the compositor doesn't say
  bool preferred = false;
  friend bool operator==(const Mode&, const Mode&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("width_px", m.width_px);
    v("height_px", m.height_px);
    v("refresh_mhz", m.refresh_mhz);
    v.optional("preferred", m.preferred);
  }
};

struct Output {
  std::string name;  // "HEADLESS-1", "DP-2": unique within its compositor
  std::string make;
  std::string model;
  std::string serial;
  std::string description;
  std::optional<Mode> current_mode;  // none while it is off
  std::vector<Mode> modes;           // may be empty: headless outputs take any mode
  double scale = 1.0;
  std::int32_t x = 0;  // position in the compositor's logical space
  std::int32_t y = 0;
  Transform transform = Transform::k0;
  std::uint32_t width_mm = 0;
  std::uint32_t height_mm = 0;
  std::optional<std::string>
      edid_hash;  // of the monitor's whole EDID, where the kernel gives it; two of one model differ in it
  friend bool operator==(const Output&, const Output&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v.optional("make", m.make);
    v.optional("model", m.model);
    v.optional("serial", m.serial);
    v.optional("description", m.description);
    v("current_mode", m.current_mode);
    v.optional("modes", m.modes);
    v.optional("scale", m.scale);
    v.optional("x", m.x);
    v.optional("y", m.y);
    v.optional("transform", m.transform);
    v.optional("width_mm", m.width_mm);
    v.optional("height_mm", m.height_mm);
    v("edid_hash", m.edid_hash);
  }
};

struct Protocol {
  std::string name;           // a registry global's interface, "zxdg_output_manager_v1", or an X11 extension, "RANDR"
  std::uint32_t version = 0;  // 0 for X11 extensions, which have no single number
  friend bool operator==(const Protocol&, const Protocol&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v("version", m.version);
  }
};

struct InputDevice {
  std::string name;
  std::string kind;  // "pointer", "keyboard", "touch", "seat", …
  friend bool operator==(const InputDevice&, const InputDevice&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v("kind", m.kind);
  }
};

struct CommandSupport {
  std::string name;  // "output.mode"
  bool supported = false;
  std::string reason;  // why not, a sentence; empty when supported
  friend bool operator==(const CommandSupport&, const CommandSupport&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v("supported", m.supported);
    v.optional("reason", m.reason);
  }
};

// One of the processes that together make a compositor. Under Wayland there is only one, and none is listed.
struct Part {
  std::string role;  // "server", "compositing_manager", "window_manager"
  std::string name;  // "picom"
  std::string version;
  std::string vendor;  // of a server, in its own words
  std::uint64_t pid = 0;
  std::string executable;
  friend bool operator==(const Part&, const Part&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("role", m.role);
    v("name", m.name);
    v.optional("version", m.version);
    v.optional("vendor", m.vendor);
    v.optional("pid", m.pid);
    v.optional("executable", m.executable);
  }
};

struct Manifest {
  std::string name;            // "sway"; "unknown" when nothing told
  std::string version;         // "1.7"; empty when nothing told
  std::string version_source;  // "ipc", "executable", …: how the version is known
  DisplayKind kind = DisplayKind::kWayland;
  std::string display;  // "wayland-1", ":0"
  std::uint64_t pid = 0;
  std::string executable;  // "/usr/bin/sway"
  std::string driver;      // the agent's driver that describes it: "sway", "wayland"
  std::vector<Protocol> protocols;
  std::vector<Output> outputs;
  std::vector<InputDevice> inputs;
  std::vector<CommandSupport> commands;
  std::optional<std::vector<Part>> parts;  // of an X display; the one that name and pid tell is among them
  friend bool operator==(const Manifest&, const Manifest&) = default;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v.optional("version", m.version);
    v.optional("version_source", m.version_source);
    v("kind", m.kind);
    v("display", m.display);
    v.optional("pid", m.pid);
    v.optional("executable", m.executable);
    v.optional("driver", m.driver);
    v("protocols", m.protocols);
    v("outputs", m.outputs);
    v("inputs", m.inputs);
    v("commands", m.commands);
    v("parts", m.parts);
  }
};

// 32 hex digits (BLAKE2b, 128 bit) over the canonical encoding: equal manifests have equal hashes, in any encoding.
std::string content_hash(const Value& value);
std::string content_hash_of(std::string_view canonical);  // of the bytes

}  // namespace compositord::msg
