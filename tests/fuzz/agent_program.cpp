#include "tests/fuzz/agent_program.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "common/base/check.h"
#include "common/msg/registration.h"
#include "common/wire/mdp_codec.h"

namespace compositord::fuzz {

namespace {

constexpr int kInputsMax = 300;

agent::AgentConfig config() {
  agent::AgentConfig config;
  config.id = msg::CompositorId("wall/w1");
  config.commands_max = 2;
  return config;
}

agent::driver_event::Described described(std::uint8_t variant) {
  agent::driver_event::Described event;
  event.manifest.name = "sway";
  event.manifest.display = "w1";
  event.manifest.pid = 100 + variant % 3U;
  event.manifest.commands = {{"output.scale", true, {}}, {"output.mode", false, "it has one mode"}};
  return event;
}

wire::Frames answer(std::int64_t id, std::uint16_t status, msg::Value result) {
  msg::Reply reply;
  reply.header.id = msg::Value(id);
  reply.header.status = status;
  if (status != 200) reply.header.error = "no";
  reply.result = std::move(result);
  wire::mdp::ClientReply message{true, "bus.agent", msg::serialize_reply(reply)};
  return wire::serialize(wire::Dialect{}, std::move(message));
}

msg::Value registered(std::int64_t heartbeat_ms, std::int64_t liveness) {
  return to_value(msg::Registered{7, 1, heartbeat_ms, liveness, 8, {}});
}

}  // namespace

AgentProgram::AgentProgram(std::uint8_t start) : core_(config(), 11, now_) {
  step(agent::input::CalendarSet{1'700'000'000'000});
  const std::uint8_t state = start % 6;  // 0: not connected yet
  if (state == 0) return;
  step(agent::input::BusConnected{});  // 1: registering
  ++session_;
  if (state >= 2) answer_register();  // 2: online without a compositor
  if (state >= 3) step(agent::input::DriverStarted{});
  if (state >= 4) step(agent::input::FromDriver{described(0)});  // 4: with one that is well
  if (state == 5) request("output.scale");                       // 5: with a command in hand
}

void AgentProgram::run(ByteSource& in) {
  for (int i = 0; i < kInputsMax && !in.at_end() && !out_.finished; ++i) one_input(in);
}

void AgentProgram::one_input(ByteSource& in) {
  switch (in.u8() % 12) {
    case 0: return step(agent::input::Received{in.frames()});
    case 1:
    case 2:
    case 3: return step(agent::input::Received{message(in)});
    case 4: now_ = now_ + std::chrono::milliseconds(in.u16() % 5'000); return step(agent::input::Tick{});
    case 5:
      now_ = std::max(now_, std::min(core_.next_deadline(), now_ + std::chrono::hours(1)));
      return step(agent::input::Tick{});
    case 6: ++session_; return step(agent::input::BusConnected{});
    case 7: return step(agent::input::BusDisconnected{});
    case 8: return from_compositor(in);
    case 9: return step(agent::input::Stalled{std::chrono::milliseconds(in.u16())});
    case 10: return in.u8() < 250 ? step(agent::input::TooLarge{}) : step(agent::input::Stop{});
    default: return step(agent::input::CalendarSet{1'700'000'000'000 + in.u16() * std::int64_t{1'000}});
  }
}

void AgentProgram::from_compositor(ByteSource& in) {
  static constexpr std::array<Status, 4> kEnds{Status::kDone, Status::kFailed, Status::kUnsupported, Status::kDeadline};
  static constexpr std::array<msg::OutputState, 3> kStates{msg::OutputState::kOn, msg::OutputState::kOff,
                                                           msg::OutputState::kDisconnected};
  const int kind = in.u8() % 9;
  switch (kind) {
    case 0: return step(agent::input::DriverStarted{});
    case 1: return step(agent::input::FromDriver{described(in.u8())});
    case 2: return step(agent::input::FromDriver{agent::driver_event::ProbeAnswered{}});
    case 3: {
      const bool stopped = in.u8() % 2 == 0;
      return step(agent::input::FromDriver{agent::driver_event::CauseSeen{stopped, in.bytes()}});
    }
    case 4: {
      agent::driver_event::OutputsChanged changed;
      for (int i = in.u8() % 4; i > 0; --i) {
        std::string name = in.bytes();
        changed.outputs.emplace_back(std::move(name), kStates[in.u8() % 3]);
      }
      return step(agent::input::FromDriver{std::move(changed)});
    }
    case 5: {
      agent::driver_event::Gone gone;
      if (in.u8() % 2 == 0) gone.end.signal = 9;
      return step(agent::input::FromDriver{std::move(gone)});
    }
    case 8: {
      agent::driver_event::Gone gone;
      if (in.u8() % 2 == 0) gone.end.signal = 11;
      gone.told_by = in.bytes();
      return step(agent::input::EndTold{std::move(gone)});
    }
    default: {
      const std::uint64_t id = commands_.empty() ? in.u8() : commands_[in.u8() % commands_.size()];
      if (kind == 6) return step(agent::input::FromDriver{agent::driver_event::CommandPart{id, in.bytes()}});
      return step(agent::input::FromDriver{
          agent::driver_event::CommandFinished{id, kEnds[in.u8() % 4], in.bytes(), msg::Value::map()}});
    }
  }
}

wire::Frames AgentProgram::message(ByteSource& in) {
  const int kind = in.u8() % 8;
  switch (kind) {
    case 0: return wire::serialize(wire::Dialect{}, wire::mdp::Heartbeat{});
    case 1: return wire::serialize(wire::Dialect{}, wire::mdp::Disconnect{});
    case 2:
    case 3: {
      // One after the other: the order in which arguments are evaluated is the compiler's own affair.
      const std::int64_t heartbeat_ms = kind == 2 ? std::int64_t{in.u16()} : in.i64();
      const std::int64_t liveness = kind == 2 ? std::int64_t{in.u8()} : in.i64();
      return answer(session_ * 4, 200, registered(heartbeat_ms, liveness));
    }
    case 4: {
      static constexpr std::array<std::uint16_t, 6> kStatuses{200, 400, 403, 409, 429, 507};
      const std::int64_t question = in.u8() % 4;
      return answer(session_ * 4 + question, kStatuses[in.u8() % 6], msg::Value::map());
    }
    case 5: return wire::serialize(wire::Dialect{}, wire::mdp::WorkerRequest{in.bytes() + "a", in.frames()});
    default: {
      msg::Call call;
      call.header.id = msg::Value(int{in.u8()});
      call.header.method = in.u8() % 3 == 0 ? "output.mode" : "output.scale";
      if (in.u8() % 2 == 0) call.header.deadline_ms = in.i64();
      return wire::serialize(wire::Dialect{}, wire::mdp::WorkerRequest{"a", msg::serialize_call(call)});
    }
  }
}

void AgentProgram::answer_register() { step(agent::input::Received{answer(session_ * 4, 200, registered(1'000, 3))}); }

void AgentProgram::request(const std::string& method) {
  msg::Call call;
  call.header.id = msg::Value(1);
  call.header.method = method;
  step(agent::input::Received{
      wire::serialize(wire::Dialect{}, wire::mdp::WorkerRequest{"a", msg::serialize_call(call)})});
}

void AgentProgram::step(agent::Input input) {
  const bool tick = std::holds_alternative<agent::input::Tick>(input);
  core_.step(now_, std::move(input), out_);
  CHECK(core_.check_invariants());
  // A deadline that is still due after its tick would make the loop spin.
  CHECK(!tick || core_.next_deadline() > now_);
  for (wire::Frames& frames : out_.sends) CHECK(wire::parse_at_broker(std::move(frames)).has_value());
  for (const agent::Execute& execute : out_.executes) {
    CHECK(execute.deadline >= now_);
    commands_.push_back(execute.command_id);
  }
  for (const LogEvent& event : out_.log) CHECK(to_text(event).find('\n') == std::string::npos);
  const bool finished = out_.finished;
  out_.clear();
  out_.finished = finished;
}

}  // namespace compositord::fuzz
