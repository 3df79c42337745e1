#pragma once
// What KWin offers on its session bus as org.kde.KWin: its version in its own words, reload, and screenshots.
//
// Source: org.kde.KWin.xml of KWin 5.27. KWin has no way to check a configuration without using it; it falls back to defaults line by
// line and says nothing of what it did not understand.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/dbus/name_owner.h"
#include "agent/dbus/session_bus.h"
#include "agent/kde/kwin_screenshot.h"
#include "agent/output/reload_command.h"
#include "agent/wayland/companion.h"

namespace compositord::agent::kde {

class KwinBus final : public Companion {
 public:
  static constexpr Duration kAnswerTime = std::chrono::seconds(5);

  explicit KwinBus(const Peer& compositor);

  void poll_fds(std::vector<pollfd>& fds) const override { bus_.poll_fds(fds); }
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  bool take_changed() noexcept override { return std::exchange(changed_, false); }
  bool is_asking() const noexcept override { return bus_.is_connecting() || owner_.is_asking() || asking_; }
  std::string version() const override { return version_; }
  std::string version_source() const override { return "dbus"; }
  void support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const override;
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;
  Result<std::unique_ptr<Capture>> begin_capture(const ScreenshotRequest& request,
                                                 const std::vector<KnownOutput>& outputs) override {
    return screenshot_.begin(request, outputs);
  }
  void on_gone(DriverOutputs& out) override { reload_.on_gone(out); }

 private:
  void ask_information(Instant now);
  void take_information(std::string_view text);

  dbus::SessionBus bus_;
  dbus::NameOwner owner_;
  KwinScreenshot screenshot_;
  std::uint64_t owner_changes_ = 0;
  std::string obstacle_;
  std::string version_;
  bool asking_ = false;
  bool changed_ = false;
  std::vector<LogEvent> log_;  // what answers had to say, until the next service()

  ReloadCommand reload_;
  std::uint64_t reload_number_ = 0;  // answers to older ones count no more
  DriverOutputs answered_;           // the same for a reload that has ended
};

// The rest of the line of supportInformation() that begins with `key` ("KWin version: "); empty when there is none.
std::string information(std::string_view text, std::string_view key);

}  // namespace compositord::agent::kde
