#include "agent/systemd/unit_on_bus.h"

#include <sdbus-c++/sdbus-c++.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "common/base/log_event.h"

namespace compositord::agent::systemd {

namespace {

constexpr const char* kBusName = "org.freedesktop.DBus";
constexpr const char* kBusPath = "/org/freedesktop/DBus";
constexpr const char* kName = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kService = "org.freedesktop.systemd1.Service";
constexpr const char* kProperties = "org.freedesktop.DBus.Properties";
constexpr std::size_t kUnitBytesMax = 255;  // of a unit's name: systemd.unit(5)

// What a service's properties say of its main process, the present or the last one. The codes are those of waitid(2).
struct MainProcess {
  std::uint32_t pid = 0;
  std::int32_t code = 0;  // 0 while it runs
  std::int32_t status = 0;
};

MainProcess read_main_process(sdbus::Message& reply) {
  std::map<std::string, sdbus::Variant> properties;
  reply >> properties;
  return {properties.at("ExecMainPID").get<std::uint32_t>(), properties.at("ExecMainCode").get<std::int32_t>(),
          properties.at("ExecMainStatus").get<std::int32_t>()};
}

ProcessEnd end_of(const MainProcess& process) {
  ProcessEnd end;
  if (process.code == CLD_EXITED) {
    end.code = process.status;
  } else {
    end.signal = process.status;
  }
  return end;
}

}  // namespace

std::string unit_name(std::string_view object_path) {
  const std::string_view label = object_path.substr(object_path.rfind('/') + 1);
  std::string name;
  for (std::size_t i = 0; i < label.size() && name.size() < kUnitBytesMax; ++i) {
    unsigned byte = 0;
    const std::string_view digits = label[i] == '_' ? label.substr(i + 1, 2) : std::string_view();
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() == 2 && parsed.ec == std::errc() && parsed.ptr == digits.data() + 2) {
      name += static_cast<char>(byte);
      i += 2;
    } else {
      name += label[i];
    }
  }
  return escape_for_log(name, kUnitBytesMax);
}

UnitOnBus::UnitOnBus(Peer compositor, dbus::Bus bus)
    : compositor_(std::move(compositor)),
      bus_(std::make_unique<dbus::SessionBus>(compositor_, std::vector<std::string>{}, bus)) {}

void UnitOnBus::poll_fds(std::vector<pollfd>& fds) const {
  if (bus_) bus_->poll_fds(fds);
}

Instant UnitOnBus::next_deadline() const noexcept {
  if (!bus_) return kNever;
  const Instant next = bus_->next_deadline();
  const bool has_question = state_ == State::kFinding || ended_;
  return has_question && !asking_ && bus_->is_up() ? std::min(next, ask_at_) : next;
}

void UnitOnBus::service(Instant now, bool ended) {
  if (!bus_) return;
  now_ = now;
  if (ended && !std::exchange(ended_, true)) ask_at_ = std::min(ask_at_, now);
  DriverOutputs unsaid;  // most machines have not both buses, and that is no trouble
  bus_->service(now, unsaid);
  if (!bus_->is_up()) {
    owner_.clear();
    if (!bus_->is_connecting() && state_ == State::kFinding) state_ = State::kOver;
  } else if (bus_->connections() != connection_) {
    connection_ = bus_->connections();
    ++question_;
    asking_ = false;
    ask_at_ = now;
    owner_.clear();
  }
  if (state_ == State::kTold || state_ == State::kOver) {
    bus_.reset();
  } else if (bus_->is_up() && !asking_ && now >= ask_at_) {
    ask_next(now);
  }
}

void UnitOnBus::ask_next(Instant now) {
  if (owner_.empty()) {
    const auto name = [](sdbus::MethodCall& call) { call << std::string(kName); };
    ask(now, {kBusName, kBusPath, kBusName, "GetNameOwner", name}, &UnitOnBus::take_owner);
  } else if (path_.empty()) {
    const auto pid = [pid = static_cast<std::uint32_t>(compositor_.pid)](sdbus::MethodCall& call) { call << pid; };
    ask(now, {owner_, kPath, kManager, "GetUnitByPID", pid}, &UnitOnBus::take_unit);
  } else if (state_ == State::kFinding || ended_) {
    // All of them at once, so that they are of the same moment.
    const auto interface = [](sdbus::MethodCall& call) { call << std::string(kService); };
    ask(now, {owner_, path_, kProperties, "GetAll", interface}, &UnitOnBus::take_service);
  }
}

void UnitOnBus::ask(Instant now, const dbus::SessionBus::Call& call, void (UnitOnBus::*take)(sdbus::Message&)) {
  const auto answered = [this, take, question = ++question_](Result<sdbus::Message*> reply) {
    if (question != question_) return;
    asking_ = false;
    ask_at_ = now_;
    if (!reply) return on_error(reply.error());
    try {
      (this->*take)(**reply);
    } catch (const sdbus::Error&) {
      state_ = State::kOver;  // it is no systemd, or none that we know
    } catch (const std::out_of_range&) {
      state_ = State::kOver;  // a scope has no main process
    }
  };
  const auto asked = bus_->call(call, now + kAnswerTime, answered);
  asking_ = asked.has_value();
  if (!asked) on_error(asked.error());
}

void UnitOnBus::take_owner(sdbus::Message& reply) { reply >> owner_; }

void UnitOnBus::take_unit(sdbus::Message& reply) {
  sdbus::ObjectPath path;
  reply >> path;
  path_ = path;
}

void UnitOnBus::take_service(sdbus::Message& reply) {
  const MainProcess process = read_main_process(reply);
  if (process.pid != static_cast<std::uint32_t>(compositor_.pid)) {
    state_ = State::kOver;
  } else if (process.code != 0) {
    end_ = end_of(process);
    state_ = State::kTold;
  } else {
    state_ = State::kFound;
    if (ended_) ask_at_ = now_ + std::exchange(ask_after_, std::min(ask_after_ * 2, kNotReapedYetMax));
  }
  if (unit_.empty() && state_ != State::kOver) unit_ = unit_name(path_);
}

void UnitOnBus::on_error(const Error& error) {
  ask_at_ = now_ + kAskAgain;
  if (owner_.empty() && !ended_ && ++nameless_ < kNamelessMax) return;
  // Whoever answered with an error has no such unit; whoever was silent or lost is asked again.
  if (error.status != Status::kDeadline && error.status != Status::kNotConnected) state_ = State::kOver;
}

}  // namespace compositord::agent::systemd
