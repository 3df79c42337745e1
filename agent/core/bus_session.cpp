#include "agent/core/bus_session.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/msg/registration.h"
#include "common/wire/mdp_codec.h"

namespace compositord::agent {

namespace {

constexpr std::array<std::string_view, 4> kMethods{"register", "status", "manifest.put", "leave"};
constexpr std::array<std::string_view, 6> kStateNames{"connecting",  "registering", "online",
                                                      "backing off", "leaving",     "finished"};
constexpr wire::Dialect kDialect{wire::MdpVersion::k02, false};

std::uint64_t call_id(std::uint64_t session, Question question) {
  return session * kMethods.size() + static_cast<std::uint64_t>(question);
}

}  // namespace

void BusSession::enter(SessionState state, std::string_view why, Outputs& out) {
  const auto name = [](SessionState s) { return std::string(kStateNames[static_cast<std::size_t>(s)]); };
  const bool trouble = state == SessionState::kBackingOff;
  out.log.push_back(LogEvent(trouble ? Severity::kWarning : Severity::kInfo, "session.changed")
                        .with("from", name(state_))
                        .with("to", name(state))
                        .with("why", std::string(why)));
  state_ = state;
}

void BusSession::connected(Instant now, Outputs& out) {
  if (state_ != SessionState::kConnecting) return;
  ++session_;
  enter(SessionState::kRegistering, "the broker is reached", out);
  deadline_ = now + config_.reply_timeout;
  msg::Registration registration;
  registration.id = config_.id.value();
  registration.labels = config_.labels;
  if (config_.heartbeat_interval) registration.heartbeat_ms = to_ms(*config_.heartbeat_interval);
  if (config_.liveness) registration.liveness = *config_.liveness;
  registration.software = config_.software;
  ask(Question::kRegister, to_value(registration), out);
}

void BusSession::disconnected(Instant now, Outputs& out) {
  if (state_ == SessionState::kOnline || state_ == SessionState::kRegistering) {
    back_off("the connection to the broker closed", now, out);
  } else if (state_ == SessionState::kLeaving) {
    enter(SessionState::kFinished, "the broker is gone", out);
  }
}

void BusSession::told_to_disconnect(Instant now, Outputs& out) {
  if (state_ == SessionState::kOnline || state_ == SessionState::kRegistering) {
    back_off("the broker sent DISCONNECT", now, out);
  }
}

void BusSession::back_off(std::string_view why, Instant now, Outputs& out) {
  const bool good_session = state_ == SessionState::kOnline && now - online_since_ >= config_.backoff_reset_after;
  backoff_ = good_session || backoff_ == Duration{} ? config_.backoff_min : std::min(backoff_ * 2, config_.backoff_max);
  // Jitter: the agents of a whole site, which lost their broker together, must not come back together.
  deadline_ = now + random_.between(backoff_ / 2, backoff_ + backoff_ / 2);
  enter(SessionState::kBackingOff, why, out);
}

void BusSession::ask(Question question, msg::Value params, Outputs& out) {
  msg::Call call;
  call.header.id = msg::Value(call_id(session_, question));
  call.header.method = kMethods[static_cast<std::size_t>(question)];
  call.params = std::move(params);
  wire::mdp::ClientRequest request{"bus.agent", msg::serialize_call(call)};
  out.sends.push_back(wire::serialize(kDialect, std::move(request)));
}

std::optional<Question> BusSession::answered(const msg::Reply& reply, Instant now, Outputs& out) {
  const std::int64_t* id = reply.header.id.if_int();
  if (id == nullptr || *id < 0) return std::nullopt;
  const auto number = static_cast<std::uint64_t>(*id);
  if (number / kMethods.size() != session_) return std::nullopt;
  const auto question = static_cast<Question>(number % kMethods.size());
  if (question == Question::kRegister && state_ == SessionState::kRegistering) on_registered(reply, now, out);
  if (question == Question::kLeave && state_ == SessionState::kLeaving) {
    enter(SessionState::kFinished, "the broker knows", out);
  }
  return question;
}

void BusSession::on_registered(const msg::Reply& reply, Instant now, Outputs& out) {
  const std::string refusal = reply.header.error.value_or("");
  if (reply.header.status != to_number(Status::kDone)) {
    return back_off(fmt::format("register was refused with {}: {}", reply.header.status, refusal), now, out);
  }
  const Result<msg::Registered> agreed = msg::from_value<msg::Registered>(reply.result);
  const bool sound = agreed && agreed->heartbeat_ms > 0 && agreed->heartbeat_ms <= msg::kHeartbeatMsMax &&
                     agreed->liveness > 0 && agreed->liveness <= msg::kLivenessMax;
  if (!sound) {
    return back_off("the answer to register could not be read", now, out);
  }
  interval_ = std::chrono::milliseconds(agreed->heartbeat_ms);
  liveness_ = static_cast<int>(agreed->liveness);
  deadline_ = kNever;
  online_since_ = now;
  last_heard_ = now;
  next_heartbeat_ = now + interval_;
  enter(SessionState::kOnline, fmt::format("registered in epoch {}", agreed->epoch), out);
  out.sends.push_back(wire::serialize(kDialect, wire::mdp::WorkerReady{msg::service_name(config_.id)}));
}

void BusSession::stop(Instant now, Outputs& out) {
  if (state_ != SessionState::kOnline) return enter(SessionState::kFinished, "stopped", out);
  enter(SessionState::kLeaving, "stopped", out);
  deadline_ = now + config_.leave_timeout;
  ask(Question::kLeave, msg::Value::map(), out);
}

void BusSession::tick(Instant now, Outputs& out) {
  if (state_ == SessionState::kOnline) {
    if (now - last_heard_ >= silence_max()) return back_off("nothing was heard from the broker", now, out);
    if (now >= next_heartbeat_) {
      out.sends.push_back(wire::serialize(kDialect, wire::mdp::Heartbeat{}));
      next_heartbeat_ = now + interval_;
    }
    return;
  }
  if (now < deadline_) return;
  deadline_ = kNever;
  if (state_ == SessionState::kBackingOff) {
    out.new_socket = true;
    enter(SessionState::kConnecting, "trying again", out);
  } else if (state_ == SessionState::kRegistering) {
    back_off("the broker did not answer register", now, out);
  } else if (state_ == SessionState::kLeaving) {
    enter(SessionState::kFinished, "the broker did not answer leave", out);
  }
}

void BusSession::stalled(Duration lateness) noexcept { last_heard_ = last_heard_ + lateness; }

Instant BusSession::next_deadline() const noexcept {
  if (state_ == SessionState::kOnline) return std::min(next_heartbeat_, last_heard_ + silence_max());
  return deadline_;
}

}  // namespace compositord::agent
