#include "agent/dbus/session_bus.h"

#include <sdbus-c++/sdbus-c++.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent::dbus {

namespace {

// Ours is the deadline that counts; sd-bus only has to be later.
constexpr std::chrono::hours kLibraryTimeout{1};

// The errors that mean the same of every peer; all others say in their own words why not.
Status status_of(std::string_view name) {
  constexpr std::string_view kPrefix = "org.freedesktop.DBus.Error.";
  if (name.ends_with(".NoAuthorized") || name == "org.freedesktop.DBus.Error.AccessDenied") return Status::kForbidden;
  if (!name.starts_with(kPrefix)) return Status::kFailed;
  name.remove_prefix(kPrefix.size());
  const bool missing =
      name == "UnknownObject" || name == "UnknownInterface" || name == "UnknownMethod" || name == "UnknownProperty";
  return missing ? Status::kUnsupported : Status::kFailed;
}

Error error_of(const sdbus::Error& error) {
  return Error{status_of(error.getName()),
               escape_for_log(error.getMessage().empty() ? error.getName() : error.getMessage())};
}

}  // namespace

struct SessionBus::OpenCall {
  std::unique_ptr<sdbus::IProxy> proxy;  // ends the call when it goes
  Instant deadline;
  OnReply on_reply;
};

struct SessionBus::Answer {
  std::unique_ptr<OpenCall> call;
  std::optional<sdbus::MethodReply> reply;
  Error error;
};

SessionBus::SessionBus(Peer compositor, std::vector<std::string> match_rules, Bus bus)
    : compositor_(std::move(compositor)),
      match_rules_(std::move(match_rules)),
      bus_(bus),
      trouble_("the session bus was not asked yet") {}

SessionBus::~SessionBus() {
  answers_.clear();
  open_.clear();
}

void SessionBus::poll_fds(std::vector<pollfd>& fds) const {
  if (connector_) connector_->poll_fds(fds);
  if (!connection_) return;
  try {
    const auto data = connection_->connection->getEventLoopPollData();
    fds.push_back(pollfd{data.fd, data.events, 0});
  } catch (const sdbus::Error&) {
    // It broke: next_deadline() says "now", and service() finds out why.
  }
}

Instant SessionBus::next_deadline() const noexcept {
  if (!answers_.empty()) return Instant();
  Instant next = state_ == State::kDown ? retry_at_ : connect_late_at_;
  for (const auto& entry : open_) next = std::min(next, entry.second->deadline);
  if (!connection_) return next;
  try {
    // Absolute, in microseconds on our own clock; 0 for "at once". What sd-bus has read already makes no descriptor readable.
    const auto data = connection_->connection->getEventLoopPollData();
    const std::uint64_t at_us = data.timeout_usec;
    constexpr auto kUsMax = static_cast<std::uint64_t>(kNever.ns() / 1000);
    if (at_us < kUsMax) next = std::min(next, Instant::from_ns(static_cast<std::int64_t>(at_us) * 1000));
  } catch (const sdbus::Error&) {
    return Instant();
  }
  return next;
}

void SessionBus::service(Instant now, DriverOutputs& out) {
  if (state_ == State::kDown && now >= retry_at_) connect(now, out);
  if (state_ == State::kConnecting) take_connection(now, out);
  if (state_ == State::kUp) process(now, out);
  end_late_calls(now);
  deliver();
}

void SessionBus::connect(Instant now, DriverOutputs& out) {
  auto connector = BusConnector::start(compositor_, match_rules_, bus_);
  if (!connector) return go_down(connector.error(), now, out);
  connector_.emplace(std::move(*connector));
  state_ = State::kConnecting;
  connect_late_at_ = now + kConnectTime;
}

void SessionBus::take_connection(Instant now, DriverOutputs& out) {
  auto made = connector_->take();
  if (!made) {
    if (now < connect_late_at_) return;
    connect_late_at_ = kNever;
    trouble_ = "the session bus does not answer";
    out.log.push_back(LogEvent(Severity::kWarning, "dbus.late").with("why", trouble_));
    return;
  }
  connect_late_at_ = kNever;
  connector_.reset();
  if (!*made) return go_down(made->error(), now, out);
  connection_.emplace(std::move(**made));
  state_ = State::kUp;
  ++connections_;
  trouble_.clear();
  logged_.clear();
  out.log.push_back(LogEvent(Severity::kInfo, "dbus.connected").with("bus", connection_->address));
}

void SessionBus::process(Instant now, DriverOutputs& out) {
  try {
    for (int i = 0; i < kMessagesPerServiceMax; ++i) {
      if (!connection_->connection->processPendingRequest()) break;
    }
  } catch (const sdbus::Error& error) {
    return go_down(error_of(error), now, out);
  }
  SignalInbox& inbox = *connection_->inbox;
  std::move(inbox.begin(), inbox.end(), std::back_inserter(signals_));
  inbox.clear();
}

std::vector<BusSignal> SessionBus::take_signals() { return std::exchange(signals_, {}); }

Result<void> SessionBus::call(const Call& call, Instant deadline, OnReply on_reply) {
  if (state_ != State::kUp) return fail(Status::kNotConnected, trouble_);
  if (open_.size() >= kCallsMax)
    return fail(Status::kLimit, fmt::format("{} calls to the session bus wait already", kCallsMax));
  const std::uint64_t id = ++last_call_;
  auto open = std::make_unique<OpenCall>();
  open->deadline = deadline;
  open->on_reply = std::move(on_reply);
  try {
    open->proxy = sdbus::createProxy(*connection_->connection, call.destination, call.path);
    sdbus::MethodCall message = open->proxy->createMethodCall(call.interface, call.method);
    if (call.arguments) call.arguments(message);
    const auto answered = [this, id](sdbus::MethodReply& reply, const sdbus::Error* error) {
      const auto found = open_.find(id);
      if (found == open_.end()) return;
      Answer answer{std::move(found->second), std::nullopt, {}};
      if (error != nullptr) {
        answer.error = error_of(*error);
      } else {
        answer.reply = reply;  // shares it
      }
      answers_.push_back(std::move(answer));
      open_.erase(found);
    };
    open->proxy->callMethod(message, answered, kLibraryTimeout);
  } catch (const sdbus::Error& error) {
    return tl::unexpected(error_of(error));
  }
  open_.emplace(id, std::move(open));
  return {};
}

void SessionBus::end_late_calls(Instant now) {
  for (auto entry = open_.begin(); entry != open_.end();) {
    if (now < entry->second->deadline) {
      ++entry;
      continue;
    }
    answers_.push_back(
        Answer{std::move(entry->second), std::nullopt, {Status::kDeadline, "it does not answer on its session bus"}});
    entry = open_.erase(entry);
  }
}

void SessionBus::deliver() {
  // What a handler asks next is answered by a later service().
  while (!answers_.empty()) {
    Answer answer = std::move(answers_.front());
    answers_.pop_front();
    answer.call->proxy.reset();
    if (answer.reply) {
      answer.call->on_reply(&*answer.reply);
    } else {
      answer.call->on_reply(tl::unexpected(std::move(answer.error)));
    }
  }
}

void SessionBus::go_down(Error why, Instant now, DriverOutputs& out) {
  state_ = State::kDown;
  trouble_ = std::move(why.text);
  if (connection_) retry_after_ = kRetryFirst;  // it was well, and shall be again
  retry_at_ = now + retry_after_;
  retry_after_ = std::min(retry_after_ * 2, kRetryMax);
  if (std::exchange(logged_, trouble_) != trouble_) {
    out.log.push_back(LogEvent(Severity::kWarning, "dbus.down").with("why", trouble_));
  }
  for (auto& entry : open_) {
    answers_.push_back(
        Answer{std::move(entry.second), std::nullopt, {Status::kNotConnected, "the session bus was lost"}});
  }
  open_.clear();
  for (Answer& answer : answers_) answer.call->proxy.reset();
  connection_.reset();
}

}  // namespace compositord::agent::dbus
