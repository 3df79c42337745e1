#include "agent/wlr/output_manager.h"

#include <wayland-client.h>
#include <wlr-output-management-unstable-v1-client-protocol.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent::wlr {

namespace {

constexpr std::uint32_t kVersionMax = 2;  // the last one whose events are handled below

std::string text_of(const char* text) { return text == nullptr ? std::string() : escape_for_log(text); }

std::uint32_t not_negative(std::int32_t n) { return static_cast<std::uint32_t>(std::max(n, 0)); }

}  // namespace

// The C callbacks. `data` is the object that owns the proxy.
struct ManagerEvents {
  using Head = OutputManager::Head;
  using Mode = OutputManager::Mode;
  static OutputManager& self(void* data) { return *static_cast<OutputManager*>(data); }
  static msg::Output& output(void* data) { return static_cast<Head*>(data)->known.output; }

  static void head(void* data, zwlr_output_manager_v1*, zwlr_output_head_v1* head) { self(data).add_head(head); }
  static void done(void* data, zwlr_output_manager_v1*, std::uint32_t serial) { self(data).commit(serial); }
  static void finished(void* data, zwlr_output_manager_v1*) {
    self(data).finished_ = true;
    self(data).changed_ = true;
  }

  static void name(void* data, zwlr_output_head_v1*, const char* name) { output(data).name = text_of(name); }
  static void description(void* data, zwlr_output_head_v1*, const char* text) {
    output(data).description = text_of(text);
  }
  static void physical_size(void* data, zwlr_output_head_v1*, std::int32_t width_mm, std::int32_t height_mm) {
    output(data).width_mm = not_negative(width_mm);
    output(data).height_mm = not_negative(height_mm);
  }
  static void mode(void* data, zwlr_output_head_v1*, zwlr_output_mode_v1* mode) {
    auto& head = *static_cast<Head*>(data);
    head.owner->add_mode(head, mode);
  }
  static void enabled(void* data, zwlr_output_head_v1*, std::int32_t enabled) {
    static_cast<Head*>(data)->known.active = enabled != 0;
  }
  static void current_mode(void* data, zwlr_output_head_v1*, zwlr_output_mode_v1* mode) {
    auto& head = *static_cast<Head*>(data);
    const auto known =
        std::find_if(head.modes.begin(), head.modes.end(), [&](const auto& m) { return m->proxy == mode; });
    head.current = known == head.modes.end() ? nullptr : known->get();
  }
  static void position(void* data, zwlr_output_head_v1*, std::int32_t x, std::int32_t y) {
    output(data).x = x;
    output(data).y = y;
  }
  static void transform(void* data, zwlr_output_head_v1*, std::int32_t transform) {
    const bool known = transform >= 0 && transform <= 7;
    output(data).transform = known ? static_cast<msg::Transform>(transform) : msg::Transform::k0;
  }
  static void scale(void* data, zwlr_output_head_v1*, wl_fixed_t scale) {
    // It comes in steps of 1/256; more digits would be invented.
    output(data).scale = std::round(wl_fixed_to_double(scale) * 1e3) / 1e3;
  }
  static void head_finished(void* data, zwlr_output_head_v1*) {
    auto* gone = static_cast<Head*>(data);
    OutputManager::destroy_proxies(*gone);
    std::erase_if(gone->owner->heads_, [&](const auto& head) { return head.get() == gone; });
  }
  static void make(void* data, zwlr_output_head_v1*, const char* make) { output(data).make = text_of(make); }
  static void model(void* data, zwlr_output_head_v1*, const char* model) { output(data).model = text_of(model); }
  static void serial_number(void* data, zwlr_output_head_v1*, const char* serial) {
    output(data).serial = text_of(serial);
  }

  static void mode_size(void* data, zwlr_output_mode_v1*, std::int32_t width, std::int32_t height) {
    msg::Mode& mode = static_cast<Mode*>(data)->mode;
    mode.width_px = not_negative(width);
    mode.height_px = not_negative(height);
  }
  static void mode_refresh(void* data, zwlr_output_mode_v1*, std::int32_t refresh_mhz) {
    static_cast<Mode*>(data)->mode.refresh_mhz = not_negative(refresh_mhz);
  }
  static void mode_preferred(void* data, zwlr_output_mode_v1*) { static_cast<Mode*>(data)->mode.preferred = true; }
  static void mode_finished(void* data, zwlr_output_mode_v1* proxy) {
    auto* gone = static_cast<Mode*>(data);
    Head& head = *gone->head;
    if (head.current == gone) head.current = nullptr;
    zwlr_output_mode_v1_destroy(proxy);
    std::erase_if(head.modes, [&](const auto& mode) { return mode.get() == gone; });
  }

  static void ended(void* data, Outcome outcome) {
    self(data).forget_configuration();
    self(data).outcome_ = outcome;
  }
  static void succeeded(void* data, zwlr_output_configuration_v1*) { ended(data, Outcome::kSucceeded); }
  static void failed(void* data, zwlr_output_configuration_v1*) { ended(data, Outcome::kFailed); }
  static void cancelled(void* data, zwlr_output_configuration_v1*) { ended(data, Outcome::kCancelled); }

  static constexpr zwlr_output_manager_v1_listener kManager{head, done, finished};
  static constexpr zwlr_output_head_v1_listener kHead{name,         description, physical_size, mode,  enabled,
                                                      current_mode, position,    transform,     scale, head_finished,
                                                      make,         model,       serial_number};
  static constexpr zwlr_output_mode_v1_listener kMode{mode_size, mode_refresh, mode_preferred, mode_finished};
  static constexpr zwlr_output_configuration_v1_listener kConfiguration{succeeded, failed, cancelled};
};

OutputManager::OutputManager(wl_registry* registry, std::uint32_t global_name, std::uint32_t version)
    : global_name_(global_name) {
  manager_ = static_cast<zwlr_output_manager_v1*>(
      wl_registry_bind(registry, global_name, &zwlr_output_manager_v1_interface, std::min(version, kVersionMax)));
  if (manager_ != nullptr) zwlr_output_manager_v1_add_listener(manager_, &ManagerEvents::kManager, this);
}

OutputManager::~OutputManager() {
  forget_configuration();
  for (const auto& head : heads_) destroy_proxies(*head);
  if (manager_ != nullptr) zwlr_output_manager_v1_destroy(manager_);
}

void OutputManager::destroy_proxies(Head& head) noexcept {
  for (const auto& mode : head.modes) zwlr_output_mode_v1_destroy(mode->proxy);
  zwlr_output_head_v1_destroy(head.proxy);
}

std::string OutputManager::obstacle() const {
  if (manager_ == nullptr || finished_) return "has ended its zwlr_output_manager_v1";
  // A configuration must name every head.
  if (too_many_) return fmt::format("has more than {} outputs", kHeadsMax);
  if (!complete_) return "has not told its outputs through zwlr_output_manager_v1 yet";
  return {};
}

bool OutputManager::takes_any_mode(const Head& head) noexcept {
  return std::all_of(head.modes.begin(), head.modes.end(),
                     [&](const auto& mode) { return mode.get() == head.current && !mode->mode.preferred; });
}

KnownOutput OutputManager::picture_of(const Head& head) {
  KnownOutput known = head.known;
  if (known.active && head.current != nullptr) known.output.current_mode = head.current->mode;
  if (takes_any_mode(head)) return known;
  for (const auto& mode : head.modes) known.output.modes.push_back(mode->mode);
  return known;
}

void OutputManager::commit(std::uint32_t serial) {
  serial_ = serial;
  complete_ = true;
  changed_ = true;
  committed_.clear();
  for (const auto& head : heads_) committed_.push_back(picture_of(*head));
}

void OutputManager::add_head(zwlr_output_head_v1* proxy) {
  if (heads_.size() >= kHeadsMax) {
    too_many_ = true;
    return zwlr_output_head_v1_destroy(proxy);
  }
  auto head = std::make_unique<Head>();
  head->owner = this;
  head->proxy = proxy;
  zwlr_output_head_v1_add_listener(proxy, &ManagerEvents::kHead, head.get());
  heads_.push_back(std::move(head));
}

void OutputManager::add_mode(Head& head, zwlr_output_mode_v1* proxy) {
  if (head.modes.size() >= kModesMax) return zwlr_output_mode_v1_destroy(proxy);
  auto mode = std::make_unique<Mode>();
  mode->head = &head;
  mode->proxy = proxy;
  zwlr_output_mode_v1_add_listener(proxy, &ManagerEvents::kMode, mode.get());
  head.modes.push_back(std::move(mode));
}

void OutputManager::send(const std::vector<HeadChange>& changes, Purpose purpose) {
  forget_configuration();
  outcome_.reset();
  if (!obstacle().empty()) return;
  configuration_ = zwlr_output_manager_v1_create_configuration(manager_, serial_);
  if (configuration_ == nullptr) return;
  zwlr_output_configuration_v1_add_listener(configuration_, &ManagerEvents::kConfiguration, this);
  for (const auto& head : heads_) {
    const auto change = std::find_if(changes.begin(), changes.end(),
                                     [&](const HeadChange& c) { return c.name == head->known.output.name; });
    const bool enabled = change == changes.end() ? head->known.active : change->enabled;
    if (!enabled) {
      zwlr_output_configuration_v1_disable_head(configuration_, head->proxy);
    } else {
      enable(*head, change == changes.end() ? HeadChange{} : *change);
    }
  }
  purpose == Purpose::kTest ? zwlr_output_configuration_v1_test(configuration_)
                            : zwlr_output_configuration_v1_apply(configuration_);
}

void OutputManager::enable(const Head& head, const HeadChange& change) {
  zwlr_output_configuration_head_v1* wish = zwlr_output_configuration_v1_enable_head(configuration_, head.proxy);
  if (wish == nullptr) return;
  if (change.mode) {
    const auto listed = std::find_if(head.modes.begin(), head.modes.end(), [&](const auto& mode) {
      const msg::Mode& m = mode->mode;
      return m.width_px == change.mode->width_px && m.height_px == change.mode->height_px &&
             m.refresh_mhz == change.mode->refresh_mhz;
    });
    // The present custom mode is listed too, as an object that compositors don't take back.
    if (listed != head.modes.end() && !takes_any_mode(head)) {
      zwlr_output_configuration_head_v1_set_mode(wish, (*listed)->proxy);
    } else {
      zwlr_output_configuration_head_v1_set_custom_mode(wish, static_cast<std::int32_t>(change.mode->width_px),
                                                        static_cast<std::int32_t>(change.mode->height_px),
                                                        static_cast<std::int32_t>(change.mode->refresh_mhz));
    }
  }
  if (change.position) {
    zwlr_output_configuration_head_v1_set_position(wish, change.position->first, change.position->second);
  }
  if (change.transform) {
    zwlr_output_configuration_head_v1_set_transform(wish, static_cast<std::int32_t>(*change.transform));
  }
  if (change.scale) zwlr_output_configuration_head_v1_set_scale(wish, wl_fixed_from_double(*change.scale));
  // Destroying it here takes nothing back: the wish is part of the configuration. It has no destructor request.
  zwlr_output_configuration_head_v1_destroy(wish);
}

void OutputManager::forget_configuration() noexcept {
  if (configuration_ != nullptr) zwlr_output_configuration_v1_destroy(configuration_);
  configuration_ = nullptr;
}

}  // namespace compositord::agent::wlr
