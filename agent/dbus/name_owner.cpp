#include "agent/dbus/name_owner.h"

#include <sdbus-c++/sdbus-c++.h>

#include <utility>

#include <fmt/format.h>

#include "agent/process/process_stat.h"
#include "common/base/log_event.h"

namespace compositord::agent::dbus {

namespace {

constexpr const char* kBusName = "org.freedesktop.DBus";
constexpr const char* kBusPath = "/org/freedesktop/DBus";

SessionBus::Call question_to_bus(const char* method, const std::string& argument) {
  return {kBusName, kBusPath, kBusName, method, [argument](sdbus::MethodCall& call) { call << argument; }};
}

template <class T>
Result<T> read(sdbus::Message& reply) {
  T value{};
  try {
    reply >> value;
  } catch (const sdbus::Error& error) {
    return fail(Status::kMalformed, escape_for_log(error.getMessage()));
  }
  return value;
}

}  // namespace

NameOwner::NameOwner(SessionBus& bus, Peer compositor, std::string name)
    : bus_(bus), compositor_(std::move(compositor)), name_(std::move(name)) {}

std::string NameOwner::match_rule(const std::string& name) {
  return fmt::format("type='signal',sender='{0}',interface='{0}',member='NameOwnerChanged',arg0='{1}'", kBusName, name);
}

void NameOwner::on_signal(const BusSignal& signal) {
  const bool ours = signal.sender == kBusName && signal.member == "NameOwnerChanged" && !signal.arguments.empty() &&
                    signal.arguments.front() == name_;
  if (ours) wanted_ = true;
}

void NameOwner::service(Instant now, DriverOutputs& out) {
  now_ = now;
  if (!bus_.is_up()) {
    ++question_;
    asking_ = false;
    ask_at_ = kNever;
    settle({}, bus_.trouble());
    return;
  }
  if (bus_.connections() != connection_) {
    connection_ = bus_.connections();
    wanted_ = true;
  }
  if (now >= ask_at_) wanted_ = true;
  if (std::exchange(wanted_, false)) ask_owner(now);
  if (asking_ || std::exchange(logged_, changes_) == changes_) return;
  if (unique_name_.empty()) {
    out.log.push_back(LogEvent(Severity::kWarning, "dbus.not_ours").with("name", name_).with("why", obstacle_));
  } else {
    out.log.push_back(LogEvent(Severity::kInfo, "dbus.found").with("name", name_).with("owner", unique_name_));
  }
}

void NameOwner::ask_owner(Instant now) {
  const std::uint64_t question = ++question_;
  asking_ = true;
  ask_at_ = kNever;
  const auto asked = bus_.call(question_to_bus("GetNameOwner", name_), now + kAnswerTime, [this, question](auto reply) {
    if (is_stale(question)) return;
    // The bus has no other error for a name that is free.
    if (!reply && reply.error().status == Status::kFailed) {
      return settle({}, fmt::format("has not taken the name {} on its session bus", name_));
    }
    if (!reply) return on_error(reply.error());
    const auto owner = read<std::string>(**reply);
    if (!owner) return on_error(owner.error());
    ask_process(*owner);
  });
  if (!asked) on_error(asked.error());
}

void NameOwner::ask_process(const std::string& owner) {
  const std::uint64_t question = question_;
  const auto take = [this, question, owner](auto reply) {
    if (is_stale(question)) return;
    if (!reply) return on_error(reply.error());
    const auto pid = read<std::uint32_t>(**reply);
    if (!pid) return on_error(pid.error());
    // The compositor itself lives, its socket says so: nobody else can have its pid.
    if (compositor_.pid > 0 && *pid == static_cast<std::uint32_t>(compositor_.pid)) return settle(owner, {});
    settle({}, fmt::format("does not own {} on its session bus: process {} does", name_, *pid));
  };
  const auto asked = bus_.call(question_to_bus("GetConnectionUnixProcessID", owner), now_ + kAnswerTime, take);
  if (!asked) on_error(asked.error());
}

void NameOwner::on_error(const Error& error) {
  ask_at_ = now_ + kAskAgain;
  settle({}, fmt::format("can't be found on its session bus: {}", error.text));
}

void NameOwner::settle(const std::string& owner, std::string obstacle) {
  asking_ = false;
  if (owner != unique_name_ || obstacle != obstacle_) ++changes_;
  unique_name_ = owner;
  obstacle_ = std::move(obstacle);
}

std::string NameOwner::obstacle() const {
  if (!bus_.is_up()) return fmt::format("can't be reached over D-Bus: {}", bus_.trouble());
  if (asking_) return "was not found on its session bus yet";
  return obstacle_;
}

}  // namespace compositord::agent::dbus
