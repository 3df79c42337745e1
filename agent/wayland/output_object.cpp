#include "agent/wayland/output_object.h"

#include <wayland-client.h>
#include <xdg-output-unstable-v1-client-protocol.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

constexpr std::uint32_t kDoneSince = 2;         // wl_output.done
constexpr std::uint32_t kOutputVersionMax = 4;  // the last one whose events are handled below
constexpr std::uint32_t kXdgVersionMax = 3;
constexpr std::uint32_t kXdgDoneUntil = 2;  // from 3 on, wl_output.done ends a batch of both

std::uint32_t not_negative(std::int32_t n) { return static_cast<std::uint32_t>(std::max(n, 0)); }

}  // namespace

std::string bounded_text(const char* text) { return text == nullptr ? std::string() : escape_for_log(text); }

// The C callbacks. `data` is the OutputObject: its proxies are destroyed before it is.
struct OutputEvents {
  static OutputObject& self(void* data) { return *static_cast<OutputObject*>(data); }

  static void geometry(void* data, wl_output*, std::int32_t x, std::int32_t y, std::int32_t width_mm,
                       std::int32_t height_mm, std::int32_t, const char* make, const char* model,
                       std::int32_t transform) {
    OutputObject& o = self(data);
    if (!o.has_xdg_position_) {
      o.pending_.x = x;
      o.pending_.y = y;
    }
    o.pending_.width_mm = not_negative(width_mm);  // kwin's virtual outputs say -1
    o.pending_.height_mm = not_negative(height_mm);
    o.pending_.make = bounded_text(make);
    o.pending_.model = bounded_text(model);
    const bool known = transform >= 0 && transform <= 7;
    o.pending_.transform = known ? static_cast<msg::Transform>(transform) : msg::Transform::k0;
    commit_old(o);
  }
  static void mode(void* data, wl_output*, std::uint32_t flags, std::int32_t width, std::int32_t height,
                   std::int32_t refresh_mhz) {
    const msg::Mode mode{not_negative(width), not_negative(height), not_negative(refresh_mhz),
                         (flags & WL_OUTPUT_MODE_PREFERRED) != 0};
    self(data).add_mode(mode, (flags & WL_OUTPUT_MODE_CURRENT) != 0);
    commit_old(self(data));
  }
  static void scale(void* data, wl_output*, std::int32_t factor) { self(data).pending_.scale = std::max(factor, 1); }
  static void name(void* data, wl_output*, const char* name) { self(data).pending_.name = bounded_text(name); }
  static void description(void* data, wl_output*, const char* text) {
    self(data).pending_.description = bounded_text(text);
  }
  static void done(void* data, wl_output*) { self(data).commit(); }
  // The first version has no `done`: there every event stands for itself.
  static void commit_old(OutputObject& o) {
    if (o.version_ < kDoneSince) o.commit();
  }

  static void xdg_position(void* data, zxdg_output_v1*, std::int32_t x, std::int32_t y) {
    OutputObject& o = self(data);
    o.has_xdg_position_ = true;
    o.pending_.x = x;
    o.pending_.y = y;
  }
  static void xdg_size(void* data, zxdg_output_v1*, std::int32_t width, std::int32_t height) {
    self(data).logical_size_ = LogicalSize{not_negative(width), not_negative(height)};
  }
  static void xdg_done(void* data, zxdg_output_v1* xdg) {
    if (zxdg_output_v1_get_version(xdg) <= kXdgDoneUntil) self(data).commit();
  }
  static void xdg_name(void* data, zxdg_output_v1*, const char* name) { self(data).xdg_name_ = bounded_text(name); }
  static void xdg_description(void* data, zxdg_output_v1*, const char* text) {
    OutputObject& o = self(data);
    if (o.pending_.description.empty()) o.pending_.description = bounded_text(text);
  }

  static constexpr wl_output_listener kOutput{geometry, mode, done, scale, name, description};
  static constexpr zxdg_output_v1_listener kXdg{xdg_position, xdg_size, xdg_done, xdg_name, xdg_description};
};

OutputObject::OutputObject(wl_registry* registry, std::uint32_t global_name, std::uint32_t version)
    : global_name_(global_name), version_(std::min(version, kOutputVersionMax)) {
  proxy_ = static_cast<wl_output*>(wl_registry_bind(registry, global_name, &wl_output_interface, version_));
  if (proxy_ != nullptr) wl_output_add_listener(proxy_, &OutputEvents::kOutput, this);
}

OutputObject::~OutputObject() {
  constexpr std::uint32_t kReleaseSince = 3;
  if (xdg_ != nullptr) zxdg_output_v1_destroy(xdg_);
  if (proxy_ == nullptr) return;
  version_ >= kReleaseSince ? wl_output_release(proxy_) : wl_output_destroy(proxy_);
}

void OutputObject::bind_xdg(zxdg_output_manager_v1* manager, std::uint32_t manager_version) {
  if (xdg_ != nullptr || proxy_ == nullptr || manager_version == 0 || manager_version > kXdgVersionMax) return;
  xdg_ = zxdg_output_manager_v1_get_xdg_output(manager, proxy_);
  if (xdg_ != nullptr) zxdg_output_v1_add_listener(xdg_, &OutputEvents::kXdg, this);
}

bool OutputObject::take_changed() noexcept { return std::exchange(changed_, false); }

void OutputObject::commit() {
  msg::Output next = pending_;
  if (next.name.empty()) next.name = xdg_name_;
  if (next == committed_) return;
  committed_ = std::move(next);
  changed_ = true;
}

void OutputObject::add_mode(const msg::Mode& mode, bool current) {
  std::vector<msg::Mode>& modes = pending_.modes;
  const auto same = [&](const msg::Mode& m) {
    return m.width_px == mode.width_px && m.height_px == mode.height_px && m.refresh_mhz == mode.refresh_mhz;
  };
  const auto listed = std::find_if(modes.begin(), modes.end(), same);
  if (listed != modes.end()) {
    *listed = mode;
  } else if (current && modes.size() == 1 && pending_.current_mode) {
    // An output without a list of modes (headless) announces each custom mode as its only one; they don't add up.
    modes.front() = mode;
  } else if (modes.size() < kModesMax) {
    modes.push_back(mode);
  }
  if (current) pending_.current_mode = mode;
}

}  // namespace compositord::agent
