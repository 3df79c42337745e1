// The agent as its broker and its compositor see it: session, reports and commands, in virtual time.

#include "agent/core/agent_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/wire/mdp_codec.h"

namespace compositord::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
namespace event = driver_event;
namespace mdp = wire::mdp;

constexpr wire::Dialect kDialect{wire::MdpVersion::k02, false};

AgentConfig make_config() {
  AgentConfig config;
  config.id = msg::CompositorId("wall/0");
  config.software = {"compositor-agent", "0.1.0"};
  return config;
}

msg::Manifest sway() {
  msg::Manifest manifest;
  manifest.name = "sway";
  manifest.display = "wayland-1";
  manifest.commands = {{"output.mode", true, ""}, {"output.power", false, "no such protocol"}};
  return manifest;
}

class AgentCoreTest : public testing::Test {
 protected:
  void step(Input input) {
    Outputs out;
    core_.step(now_, std::move(input), out);
    ASSERT_TRUE(core_.check_invariants());
    for (wire::Frames& frames : out.sends) sends_.push_back(std::move(frames));
    for (Execute& execute : out.executes) executes_.push_back(std::move(execute));
    new_sockets_ += out.new_socket ? 1 : 0;
    usage_looks_ += out.look_at_usage ? 1 : 0;
    finished_ = out.finished;
    if (out.start_probe && answers_probes_) step(input::FromDriver{event::ProbeAnswered{}});
  }
  void pass(Duration duration, bool broker_alive = true) {
    const Instant end = now_ + duration;
    Instant heartbeat = now_ + seconds(1);
    while (std::min(core_.next_deadline(), broker_alive ? heartbeat : kNever) <= end) {
      now_ = std::max(now_, std::min(core_.next_deadline(), broker_alive ? heartbeat : kNever));
      if (broker_alive && now_ >= heartbeat) {
        from_broker(mdp::Heartbeat{});
        heartbeat = heartbeat + seconds(1);
      }
      step(input::Tick{});
      ASSERT_GT(core_.next_deadline(), now_) << "a deadline that is due again at once";
    }
    now_ = end;
  }
  template <class Message>
  void from_broker(Message message) {
    step(input::Received{serialize(kDialect, std::move(message))});
  }
  // Answers the last call that the agent made.
  void answer(Status status, msg::Value result = msg::Value::map()) {
    msg::Reply reply;
    reply.header.id = last_call_id_;
    reply.header.status = to_number(status);
    reply.result = std::move(result);
    from_broker(mdp::ClientReply{true, "bus.agent", msg::serialize_reply(reply)});
  }
  // What the agent has sent since the last call, as "register", "status", "READY", "HEARTBEAT", "FINAL 404".
  std::vector<std::string> sent() {
    std::vector<std::string> names;
    for (const wire::Frames& frames : std::exchange(sends_, {})) {
      const auto parsed = wire::parse_at_broker(wire::Frames(frames));
      std::string name(wire::command_name(parsed->message));
      if (const auto* request = std::get_if<mdp::ClientRequest>(&parsed->message)) {
        const msg::Call call = msg::parse_call(request->body).value();
        last_call_id_ = call.header.id;
        last_params_ = call.params;
        name = call.header.method;
      }
      if (const auto* reply = std::get_if<mdp::WorkerReply>(&parsed->message)) {
        name += " " + std::to_string(msg::parse_reply(reply->body).value().header.status);
      }
      names.push_back(std::move(name));
    }
    return names;
  }
  void go_online() {
    step(input::BusConnected{});
    EXPECT_THAT(sent(), ElementsAre("register"));
    answer(Status::kDone,
           msg::Value::map({{"epoch", 1}, {"session", 1}, {"heartbeat_ms", 1000}, {"liveness", 3}, {"credit", 8}}));
    EXPECT_EQ(core_.session_state(), SessionState::kOnline);
  }
  void start_compositor() {
    step(input::DriverStarted{});
    step(input::FromDriver{event::Described{sway()}});
  }
  void go_online_with_compositor() {
    start_compositor();
    go_online();
    EXPECT_THAT(sent(), ElementsAre("READY", "manifest.put", "status"));
    answer(Status::kDone);
    sends_.clear();
  }
  void request(const char* method, std::optional<std::int64_t> deadline_ms = {},
               msg::Value params = msg::Value::map()) {
    msg::Call call;
    call.header.id = 7;
    call.header.method = method;
    call.header.deadline_ms = deadline_ms;
    call.params = std::move(params);
    from_broker(mdp::WorkerRequest{"client", msg::serialize_call(call)});
  }

  AgentCore core_{make_config(), 7, Instant()};
  Instant now_;
  std::vector<wire::Frames> sends_;
  std::vector<Execute> executes_;
  msg::Value last_call_id_;
  msg::Value last_params_;
  int new_sockets_ = 0;
  int usage_looks_ = 0;
  bool finished_ = false;
  bool answers_probes_ = true;
};

TEST_F(AgentCoreTest, RegistersThenSaysReadyThenSendsWhatItKnows) {
  start_compositor();
  go_online();
  EXPECT_THAT(sent(), ElementsAre("READY", "manifest.put", "status"));
  EXPECT_EQ(*last_params_.find("progress")->find("state"), msg::Value("ok"));
}

TEST_F(AgentCoreTest, WithoutACompositorItReportsSoAfterTheFirstLook) {
  go_online();
  EXPECT_THAT(sent(), ElementsAre("READY"));
  pass(milliseconds(990));
  EXPECT_THAT(sent(), ElementsAre());
  pass(milliseconds(20));
  EXPECT_THAT(sent(), ElementsAre("HEARTBEAT", "status"));
}

TEST_F(AgentCoreTest, HeartbeatsAtTheAgreedIntervalWhileTheCompositorIsStuck) {
  go_online_with_compositor();
  answers_probes_ = false;
  pass(seconds(5));
  const std::vector<std::string> names = sent();
  EXPECT_EQ(std::count(names.begin(), names.end(), "HEARTBEAT"), 5);
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
}

TEST_F(AgentCoreTest, ASilentBrokerIsLeftAfterItsLivenessAndComesBackOnANewSocket) {
  go_online_with_compositor();
  pass(milliseconds(2'990), false);
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
  pass(milliseconds(20), false);
  EXPECT_EQ(core_.session_state(), SessionState::kBackingOff);
  EXPECT_EQ(new_sockets_, 0);
  pass(milliseconds(150), false);
  EXPECT_EQ(core_.session_state(), SessionState::kConnecting);
  EXPECT_EQ(new_sockets_, 1);
}

TEST_F(AgentCoreTest, RefusedAgainAndAgainItBacksOffToTheMaximumAndNoFurther) {
  const AgentConfig config = make_config();
  Duration longest{};
  for (int i = 0; i < 12; ++i) {
    step(input::BusConnected{});
    sent();
    answer(Status::kLimit);
    ASSERT_EQ(core_.session_state(), SessionState::kBackingOff);
    const Duration wait = core_.next_deadline() - now_;
    EXPECT_GE(wait, config.backoff_min / 2);
    longest = std::max(longest, wait);
    pass(wait, false);
    ASSERT_EQ(core_.session_state(), SessionState::kConnecting);
  }
  EXPECT_EQ(new_sockets_, 12);
  EXPECT_GE(longest, config.backoff_max / 2);
  EXPECT_LE(longest, config.backoff_max + config.backoff_max / 2);
}

TEST_F(AgentCoreTest, AnAnswerOfAnEarlierSessionIsIgnored) {
  step(input::BusConnected{});
  sent();
  const msg::Value old_id = last_call_id_;
  from_broker(mdp::Disconnect{});
  pass(milliseconds(200), false);
  step(input::BusConnected{});
  sent();
  last_call_id_ = old_id;
  answer(Status::kDone,
         msg::Value::map({{"epoch", 1}, {"session", 1}, {"heartbeat_ms", 1000}, {"liveness", 3}, {"credit", 8}}));
  EXPECT_EQ(core_.session_state(), SessionState::kRegistering);
}

TEST_F(AgentCoreTest, StopSaysLeaveAndEndsWithTheAnswerOrWithoutIt) {
  go_online_with_compositor();
  step(input::Stop{});
  EXPECT_THAT(sent(), ElementsAre("leave"));
  EXPECT_FALSE(finished_);
  pass(milliseconds(500), false);
  EXPECT_TRUE(finished_);
}

TEST_F(AgentCoreTest, ACommandEndsOnceWithWhatTheDriverSays) {
  go_online_with_compositor();
  request("output.mode");
  ASSERT_EQ(executes_.size(), 1U);
  EXPECT_EQ(executes_[0].deadline, now_ + seconds(10));
  step(input::FromDriver{event::CommandFinished{executes_[0].command_id, Status::kDone, "", msg::Value::map()}});
  EXPECT_THAT(sent(), ElementsAre("FINAL 200"));
  step(input::FromDriver{event::CommandFinished{executes_[0].command_id, Status::kDone, "", msg::Value::map()}});
  EXPECT_THAT(sent(), ElementsAre());
}

TEST_F(AgentCoreTest, TakesBackAChangeThatNobodyConfirmsAlsoWithoutABroker) {
  go_online_with_compositor();
  request("output.confirm");
  EXPECT_THAT(sent(), ElementsAre("FINAL 409")) << "nothing waits for it";
  const msg::Value guarded = msg::Value::map({{"output", "DP-1"}, {"confirm_within_ms", 10'000}});
  const auto mode = [](int width) {
    return msg::Value::map(
        {{"name", "DP-1"}, {"current_mode", msg::Value::map({{"width_px", width}, {"height_px", 600}})}});
  };
  request("output.mode", {}, guarded);
  ASSERT_EQ(executes_.size(), 1U);
  EXPECT_EQ(executes_[0].params, msg::Value::map({{"output", "DP-1"}})) << "a driver is not told";
  request("output.mode");
  EXPECT_THAT(sent(), ElementsAre("FINAL 409")) << "one at a time";
  step(input::FromDriver{event::CommandFinished{executes_[0].command_id, Status::kDone, "",
                                                msg::Value::map({{"before", mode(1280)}, {"after", mode(800)}})}});
  EXPECT_THAT(sent(), ElementsAre("FINAL 200"));
  step(input::BusDisconnected{});  // as when the change took the line with it
  pass(seconds(10), false);
  ASSERT_EQ(executes_.size(), 2U);
  EXPECT_EQ(*executes_[1].params.find("width_px"), msg::Value(1280));
}

TEST_F(AgentCoreTest, KeepsAChangeThatIsConfirmed) {
  go_online_with_compositor();
  request("output.mode", {}, msg::Value::map({{"confirm_within_ms", 10'000}}));
  step(input::FromDriver{event::CommandFinished{executes_.at(0).command_id, Status::kDone, "",
                                                msg::Value::map({{"before", msg::Value::map()}})}});
  sent();
  request("output.confirm", {}, msg::Value::map({{"really", true}}));
  request("output.confirm");
  EXPECT_THAT(sent(), ElementsAre("FINAL 400", "FINAL 200"));
  pass(seconds(20));
  EXPECT_EQ(executes_.size(), 1U);
}

TEST_F(AgentCoreTest, PartsOfAnAnswerGoOutAsPartialsBeforeItsFinal) {
  go_online_with_compositor();
  request("output.mode");
  const std::uint64_t id = executes_.at(0).command_id;
  step(input::FromDriver{event::CommandPart{id, "first "}});
  step(input::FromDriver{event::CommandPart{id, "second"}});
  ASSERT_EQ(sends_.size(), 2U);
  std::string bytes;
  for (wire::Frames& frames : std::exchange(sends_, {})) {
    const auto parsed = wire::parse_at_broker(std::move(frames));
    const auto* reply = std::get_if<mdp::WorkerReply>(&parsed->message);
    ASSERT_NE(reply, nullptr);
    EXPECT_FALSE(reply->final);
    const msg::Reply part = msg::parse_reply(reply->body).value();
    EXPECT_EQ(part.header.id, msg::Value(7));
    EXPECT_EQ(part.header.status, 200);
    EXPECT_EQ(part.header.more, true);
    EXPECT_EQ(part.result, msg::Value::map({{"offset", std::uint64_t{bytes.size()}}}));
    ASSERT_EQ(part.attachments.size(), 1U);
    bytes += part.attachments[0].view();
  }
  EXPECT_EQ(bytes, "first second");
  step(input::FromDriver{event::CommandFinished{id, Status::kDone, "", msg::Value::map()}});
  EXPECT_THAT(sent(), ElementsAre("FINAL 200"));
  step(input::FromDriver{event::CommandPart{id, "late"}});
  EXPECT_THAT(sent(), ElementsAre());
}

TEST_F(AgentCoreTest, PartsForAJsonCallerHaveTheirBytesInBase64) {
  go_online_with_compositor();
  from_broker(mdp::WorkerRequest{"client", {R"({"v":1,"id":"x","method":"output.mode"})"}});
  step(input::FromDriver{event::CommandPart{executes_.at(0).command_id, "\x89PNG"}});
  ASSERT_EQ(sends_.size(), 1U);
  const auto parsed = wire::parse_at_broker(std::move(sends_.front()));
  const auto* reply = std::get_if<mdp::WorkerReply>(&parsed->message);
  ASSERT_NE(reply, nullptr);
  ASSERT_EQ(reply->body.size(), 1U);
  EXPECT_EQ(reply->body[0].view(),
            R"({"v":1,"id":"x","status":200,"more":true,"result":{"offset":0,"data":"iVBORw=="}})");
}

TEST_F(AgentCoreTest, RefusesACommandThatIsUnknownOrUnsupportedOrMalformed) {
  go_online_with_compositor();
  request("output.paint");
  request("output.power");
  from_broker(mdp::WorkerRequest{"client", {"\xc1"}});
  EXPECT_THAT(sent(), ElementsAre("FINAL 404", "FINAL 501", "FINAL 400"));
  EXPECT_TRUE(executes_.empty());
}

TEST_F(AgentCoreTest, WithoutACompositorEveryCommandIsRefused) {
  go_online_with_compositor();
  step(input::FromDriver{event::Gone{{{}, 9}, "killed"}});
  sent();
  request("output.mode");
  EXPECT_THAT(sent(), ElementsAre("FINAL 503"));
}

TEST_F(AgentCoreTest, AnXServerThatGoesOnWithoutItsCompositorIsNotWell) {
  msg::Manifest bare = sway();
  bare.name = "Xvfb";
  bare.parts = std::vector<msg::Part>{{"server", "Xvfb", "", "", 1, ""}};
  msg::Manifest composited = bare;
  composited.name = "picom";
  composited.parts->push_back({"compositing_manager", "picom", "", "", 2, ""});
  const auto describe = [&](const msg::Manifest& manifest) {
    step(input::DriverStarted{});
    step(input::FromDriver{event::Described{manifest}});
  };
  const auto process = [&](const char* field) {
    const msg::Value* value = last_params_.find("process");
    return value == nullptr || value->find(field) == nullptr ? msg::Value() : *value->find(field);
  };
  const auto reported = [&] {
    answer(Status::kDone);
    for (int i = 0; i < 4; ++i) {
      if (!sent().empty()) answer(Status::kDone);
    }
  };
  describe(composited);
  go_online();
  reported();
  step(input::FromDriver{event::Gone{{{}, 9}, "killed"}});
  describe(bare);
  reported();
  EXPECT_EQ(process("state"), msg::Value("killed"));
  EXPECT_EQ(process("signal"), msg::Value(9));
  EXPECT_EQ(process("note"), msg::Value("picom is not back, Xvfb goes on without it"));
  pass(seconds(20));  // its probes are answered, and that changes nothing
  reported();
  EXPECT_EQ(process("state"), msg::Value("killed"));
  step(input::FromDriver{event::Described{composited}});
  reported();
  EXPECT_EQ(process("state"), msg::Value("running"));
  EXPECT_EQ(process("note"), msg::Value());
  step(input::FromDriver{event::Gone{{0, {}}, "exited with code 0", true}});
  describe(bare);
  reported();
  EXPECT_EQ(process("state"), msg::Value("running")) << "it was switched off";
  // How it ended may become known only after the server was found to go on without it.
  for (const bool crashed : {true, false}) {
    step(input::FromDriver{event::Described{composited}});
    step(input::FromDriver{event::Gone{{}, "ended, and the kernel did not tell how"}});
    describe(bare);
    reported();
    EXPECT_EQ(process("state"), msg::Value("exited"));
    const ProcessEnd end = crashed ? ProcessEnd{{}, 11} : ProcessEnd{0, {}};
    step(input::EndTold{event::Gone{end, "told", false, "systemd"}});
    reported();
    EXPECT_EQ(process("state"), msg::Value(crashed ? "killed" : "running"));
  }
}

TEST_F(AgentCoreTest, ACommandEndsAtItsDeadlineOrWithItsCompositor) {
  go_online_with_compositor();
  request("output.mode", 100);
  request("output.mode", 5'000);
  pass(milliseconds(100));
  EXPECT_THAT(sent(), ElementsAre("FINAL 504"));
  step(input::FromDriver{event::Gone{{{}, 9}, "killed"}});
  EXPECT_EQ(sent().at(0), "FINAL 410");
}

TEST_F(AgentCoreTest, NoDeadlineThatAPeerNamesIsTooLong) {
  go_online_with_compositor();
  request("output.mode", std::numeric_limits<std::int64_t>::max());
  ASSERT_EQ(executes_.size(), 1U);
  EXPECT_EQ(executes_[0].deadline, now_ + std::chrono::hours(1));
}

TEST_F(AgentCoreTest, TooManyCommandsAtOnceAreRefused) {
  go_online_with_compositor();
  for (std::size_t i = 0; i < make_config().commands_max; ++i) request("output.mode");
  EXPECT_THAT(sent(), ElementsAre());
  request("output.mode");
  EXPECT_THAT(sent(), ElementsAre("FINAL 429"));
}

TEST_F(AgentCoreTest, CommandsOfALostSessionAreNotAnsweredInTheNext) {
  go_online_with_compositor();
  request("output.mode", 60'000);
  pass(milliseconds(3'100), false);  // the broker has gone silent: no DISCONNECT, no closed connection
  ASSERT_NE(core_.session_state(), SessionState::kOnline);
  sends_.clear();
  step(input::FromDriver{event::CommandFinished{executes_.at(0).command_id, Status::kDone, "", msg::Value::map()}});
  EXPECT_THAT(sent(), ElementsAre());
}

TEST_F(AgentCoreTest, ARequestOutsideASessionIsNotCarriedOut) {
  go_online_with_compositor();
  from_broker(mdp::Disconnect{});
  request("output.mode");
  EXPECT_TRUE(executes_.empty());
}

TEST_F(AgentCoreTest, AManifestThatTheBrokerCouldNotStoreIsSentAgainLater) {
  start_compositor();
  go_online();
  sends_.pop_back();  // the status; the manifest's is then the last call
  EXPECT_THAT(sent(), ElementsAre("READY", "manifest.put"));
  answer(Status::kStore);
  pass(seconds(29));
  std::vector<std::string> names = sent();
  EXPECT_EQ(std::count(names.begin(), names.end(), "manifest.put"), 0);
  pass(seconds(2));
  names = sent();
  EXPECT_EQ(std::count(names.begin(), names.end(), "manifest.put"), 1);
}

// The broker answers a manifest when the disk has it, and a status at once.
TEST_F(AgentCoreTest, TheManifestOfAnotherProcessDoesNotWaitForTheAnswerToTheLastOne) {
  const auto describe = [&](std::uint64_t pid) {
    msg::Manifest manifest = sway();
    manifest.pid = pid;
    step(input::FromDriver{event::Described{manifest}});
  };
  step(input::DriverStarted{});
  describe(100);
  go_online();
  EXPECT_THAT(sent(), ElementsAre("READY", "manifest.put", "status"));
  answer(Status::kDone);  // to the status
  step(input::FromDriver{event::Gone{{}, "closed its Wayland socket"}});
  EXPECT_THAT(sent(), ElementsAre("status"));
  answer(Status::kDone);
  describe(101);
  EXPECT_THAT(sent(), ElementsAre("manifest.put", "status"));
  answer(Status::kDone);
  const msg::Value status_id = last_call_id_;
  // Now the first one's answer comes: the second one still has none, and is said again.
  last_call_id_ = msg::Value(status_id.if_int() != nullptr ? *status_id.if_int() + 1 : 0);
  answer(Status::kStore);
  pass(milliseconds(4'990));
  std::vector<std::string> names = sent();
  EXPECT_EQ(std::count(names.begin(), names.end(), "manifest.put"), 0);
  pass(milliseconds(20));
  names = sent();
  EXPECT_EQ(std::count(names.begin(), names.end(), "manifest.put"), 1);
}

TEST_F(AgentCoreTest, ARefreshThatHasToWaitDoesNotMakeTheLoopSpin) {
  go_online_with_compositor();
  pass(milliseconds(9'500));
  step(input::FromDriver{event::Gone{{}, "closed its Wayland socket"}});
  EXPECT_THAT(sent(), testing::Contains("status"));
  answer(Status::kDone);
  pass(milliseconds(9'500));
  step(input::DriverStarted{});  // the first look lasts a second, and the refresh is due in half of one
  pass(seconds(1));              // pass() refuses a deadline that is due again at once
  EXPECT_THAT(sent(), testing::Contains("status"));
}

TEST_F(AgentCoreTest, WhatIsMeasuredGoesAlongWithTheNextStatusAndIsNoNewsItself) {
  go_online_with_compositor();
  EXPECT_EQ(last_params_.find("metrics"), nullptr);
  pass(milliseconds(5));
  EXPECT_EQ(usage_looks_, 1);
  step(input::FromDriver{event::UsageSeen{std::uint64_t{100} << 20, seconds(1)}});
  step(input::FromDriver{event::ClientsSeen{4}});
  pass(seconds(9));
  EXPECT_THAT(sent(), testing::Not(testing::Contains("status")));
  pass(seconds(1));
  EXPECT_EQ(usage_looks_, 2);
  EXPECT_THAT(sent(), testing::Contains("status"));
  const msg::Value metrics = *last_params_.find("metrics");
  EXPECT_EQ(*metrics.find("rss_bytes"), msg::Value(std::int64_t{100} << 20));
  EXPECT_EQ(*metrics.find("clients"), msg::Value(4));
  EXPECT_EQ(*metrics.find("probe_p99_us"), msg::Value(0)) << "this test answers at once";
  EXPECT_EQ(metrics.find("restarts"), nullptr) << "somebody else starts it";
  answer(Status::kDone);
  step(input::FromDriver{event::Gone{{0, {}}, "exited with code 0"}});
  EXPECT_THAT(sent(), testing::Contains("status"));
  EXPECT_EQ(last_params_.find("metrics"), nullptr) << "there is nothing to measure";
}

TEST_F(AgentCoreTest, AnyBytesFromTheBusLeaveItRunning) {
  go_online_with_compositor();
  for (const wire::Frames& frames : {wire::Frames{},
                                     {""},
                                     {"MDPC02", "\x03", "bus.agent", "\xc1"},
                                     {"MDPW02", "\x07"},
                                     {"MDPC02", "\x03", "bus.agent"},
                                     {"MDPW02", "\x02", "a"}}) {
    step(input::Received{frames});
  }
  step(input::TooLarge{});
  EXPECT_EQ(core_.session_state(), SessionState::kOnline);
}

}  // namespace
}  // namespace compositord::agent
