#pragma once
// One wl_output with its xdg_output: collects what the compositor says of one monitor and shows it only when the
// compositor said that a batch is complete.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/msg/manifest.h"

struct wl_output;
struct wl_registry;
struct zxdg_output_manager_v1;
struct zxdg_output_v1;

namespace compositord::agent {

// Text from a compositor: bounded, printable, valid UTF-8.
std::string bounded_text(const char* text);

// Of an output in the compositor's logical space: its mode, turned and scaled.
struct LogicalSize {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
};

class OutputObject {
 public:
  // At this size a list of modes is hostile, not long.
  static constexpr std::size_t kModesMax = 256;

  OutputObject(wl_registry* registry, std::uint32_t global_name, std::uint32_t version);
  OutputObject(const OutputObject&) = delete;
  OutputObject& operator=(const OutputObject&) = delete;
  ~OutputObject();

  // Also for outputs that were there before their manager was announced. A second call does nothing.
  void bind_xdg(zxdg_output_manager_v1* manager, std::uint32_t manager_version);

  std::uint32_t global_name() const noexcept { return global_name_; }
  wl_output* proxy() const noexcept { return proxy_; }  // nullptr when it could not be bound
  // The last complete batch. The name is empty when the compositor gives none.
  const msg::Output& output() const noexcept { return committed_; }
  // As xdg-output tells it, which is exact also for fractional scales; 0x0 without.
  const LogicalSize& logical_size() const noexcept { return logical_size_; }
  // Whether a batch was completed since the last call.
  bool take_changed() noexcept;

 private:
  friend struct OutputEvents;
  void commit();
  void add_mode(const msg::Mode& mode, bool current);

  wl_output* proxy_ = nullptr;
  zxdg_output_v1* xdg_ = nullptr;
  std::uint32_t global_name_;
  std::uint32_t version_;
  msg::Output pending_;
  msg::Output committed_;
  std::string xdg_name_;
  LogicalSize logical_size_;
  bool has_xdg_position_ = false;
  bool changed_ = false;
};

}  // namespace compositord::agent
