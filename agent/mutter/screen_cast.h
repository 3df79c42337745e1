#pragma once
// Screenshots of Mutter by org.gnome.Mutter.ScreenCast and PipeWire: a session for each output, of which one frame is taken.
//
//   CreateSession -> RecordMonitor -> Start -> signal PipeWireStreamAdded(node) -> the node's first frame -> Stop
//
// Whoever asked may be gone at any of these: a session whose Cast nobody holds any more is stopped.
// Source: org.gnome.Mutter.ScreenCast.xml of Mutter 43.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/capture/capture.h"
#include "agent/capture/shot_target.h"
#include "agent/dbus/name_owner.h"
#include "agent/dbus/session_bus.h"
#include "agent/output/output_command.h"
#include "agent/process/peer.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::agent::mutter {

// What became of one session, for the capture that waits for it.
struct Cast {
  std::string output;
  std::optional<std::uint32_t> node;  // of PipeWire
  std::optional<Error> error;
};

class ScreenCast {
 public:
  static constexpr Duration kAnswerTime = std::chrono::seconds(5);
  static constexpr Duration kAskAgain = std::chrono::seconds(10);

  // Both must outlive this; a capture outlives neither.
  ScreenCast(const Peer& compositor, dbus::SessionBus& bus, const dbus::NameOwner& owner);

  // The match rule that the bus must have for this.
  static std::string match_rule();
  void on_signal(const dbus::BusSignal& signal);
  // Asks what is to be asked. To be called after the owner's own service().
  void service(Instant now);
  Instant next_deadline() const noexcept;
  bool take_changed() noexcept { return std::exchange(changed_, false); }
  bool is_asking() const noexcept { return asking_; }
  // Why there are none, as the end of "the compositor …"; empty when there are.
  const std::string& obstacle() const noexcept { return obstacle_; }

  Result<std::unique_ptr<Capture>> begin(const ScreenshotRequest& request, const std::vector<KnownOutput>& outputs,
                                         const std::string& compositor);
  // Begins a session. One at a time: an earlier one is stopped.
  std::shared_ptr<Cast> open(const std::string& output, Instant now);
  // The socket of the PipeWire server that the compositor gives its frames to.
  const std::string& pipewire_socket() const noexcept { return pipewire_socket_; }

 private:
  void ask_version(Instant now);
  void settle(std::string obstacle);
  void call(const std::string& path, const char* interface, const char* method,
            std::function<void(sdbus::MethodCall&)> arguments, void (ScreenCast::*then)(sdbus::Message&));
  void on_session(sdbus::Message& reply);
  void on_stream(sdbus::Message& reply);
  void on_started(sdbus::Message&) {}
  void stop();
  void stop_session(const std::string& path);
  void stop_late(sdbus::Message& reply);

  dbus::SessionBus& bus_;
  const dbus::NameOwner& owner_;
  std::uint64_t owner_changes_ = 0;
  std::string pipewire_socket_;
  std::string obstacle_;
  bool asking_ = false;
  bool changed_ = false;
  Instant ask_at_ = kNever;
  Instant now_;

  std::weak_ptr<Cast> cast_;
  std::uint64_t session_number_ = 0;  // answers to older ones count no more
  bool is_open_ = false;
  std::string session_;  // their object paths, as soon as they are told
  std::string stream_;
};

// Where PipeWire's socket is for a program with this environment, NUL after each variable. Empty: nowhere.
// Source: PipeWire's docs, "Client": PIPEWIRE_RUNTIME_DIR, XDG_RUNTIME_DIR, PIPEWIRE_REMOTE.
std::string pipewire_socket_in(std::string_view environment);

}  // namespace compositord::agent::mutter
