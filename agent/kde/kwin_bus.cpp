#include "agent/kde/kwin_bus.h"

#include <sdbus-c++/sdbus-c++.h>

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent::kde {

namespace {

constexpr const char* kName = "org.kde.KWin";  // and the interface's
constexpr const char* kPath = "/KWin";
constexpr std::size_t kValueBytesMax = 64;

}  // namespace

std::string information(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) return escape_for_log(line.substr(key.size()), kValueBytesMax);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return {};
}

KwinBus::KwinBus(const Peer& compositor)
    : bus_(compositor, {dbus::NameOwner::match_rule(kName)}),
      owner_(bus_, compositor, kName),
      screenshot_(bus_, owner_) {}

Instant KwinBus::next_deadline() const noexcept {
  return std::min({bus_.next_deadline(), owner_.next_deadline(), screenshot_.next_deadline(), reload_.deadline()});
}

void KwinBus::service(Instant now, DriverOutputs& out) {
  bus_.service(now, out);
  for (const dbus::BusSignal& signal : bus_.take_signals()) owner_.on_signal(signal);
  owner_.service(now, out);
  if (owner_.changes() != owner_changes_) {
    owner_changes_ = owner_.changes();
    asking_ = false;
    if (!owner_.unique_name().empty()) ask_information(now);
  }
  std::move(log_.begin(), log_.end(), std::back_inserter(out.log));
  log_.clear();
  std::move(answered_.events.begin(), answered_.events.end(), std::back_inserter(out.events));
  answered_.events.clear();
  reload_.tick(now, out);
  screenshot_.service(now);
  changed_ = screenshot_.take_changed() || changed_;
  if (std::string obstacle = owner_.obstacle(); obstacle != obstacle_) {
    obstacle_ = std::move(obstacle);
    changed_ = true;
  }
}

void KwinBus::ask_information(Instant now) {
  const auto take = [this, changes = owner_changes_](Result<sdbus::Message*> reply) {
    if (changes != owner_changes_) return;
    asking_ = false;
    changed_ = true;
    std::string text;
    try {
      if (reply) **reply >> text;
    } catch (const sdbus::Error& error) {
      reply = fail(Status::kMalformed, escape_for_log(error.getMessage()));
    }
    if (reply) return take_information(text);
    log_.push_back(LogEvent(Severity::kInfo, "kwin.no_information").with("why", reply.error().text));
  };
  asking_ =
      bus_.call({owner_.unique_name(), kPath, kName, "supportInformation", {}}, now + kAnswerTime, take).has_value();
}

void KwinBus::take_information(std::string_view text) {
  version_ = information(text, "KWin version: ");
  log_.push_back(LogEvent(Severity::kInfo, "kwin.information")
                     .with("version", version_)
                     .with("mode", information(text, "Operation Mode: "))
                     .with("backend", information(text, "Name: "))
                     .with("compositing", information(text, "Compositing Type: ")));
}

void KwinBus::support(std::vector<msg::CommandSupport>& commands, const std::string& compositor) const {
  for (msg::CommandSupport& command : commands) {
    if (command.name != kReloadMethod && command.name != kScreenshotCommand) continue;
    std::string why = obstacle_;
    if (why.empty() && command.name == kScreenshotCommand) why = screenshot_.obstacle();
    command.supported = why.empty() && !owner_.unique_name().empty();
    command.reason = command.supported ? "" : fmt::format("{} {}", compositor, why);
  }
}

void KwinBus::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                      Instant deadline, DriverOutputs& out) {
  if (method != kReloadMethod || !reload_.begin(command_id, params, now, deadline, out)) return;
  const auto take = [this, number = ++reload_number_](Result<sdbus::Message*> reply) {
    if (number != reload_number_) return;
    if (reply) {
      return reload_.succeed(
          "KWin was told by reconfigure() over D-Bus to read its configuration again, and said that it will", false,
          answered_);
    }
    reload_.fail(reply.error().status, fmt::format("reconfigure() over D-Bus: {}", reply.error().text), answered_);
  };
  const auto asked = bus_.call({owner_.unique_name(), kPath, kName, "reconfigure", {}}, deadline, take);
  if (!asked) reload_.fail(asked.error().status, asked.error().text, out);
}

}  // namespace compositord::agent::kde
