// An agent that starts its compositor itself, as its broker sees it: restart, stop, crashes and the goodbye, in virtual time.

#include "agent/core/supervision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/core/agent_core.h"
#include "common/wire/mdp_codec.h"

namespace compositord::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;
namespace mdp = wire::mdp;

constexpr wire::Dialect kDialect{wire::MdpVersion::k02, false};

AgentConfig make_config(bool lives_on) {
  AgentConfig config;
  config.id = msg::CompositorId("wall/0");
  config.software = {"compositor-agent", "0.1.0"};
  config.supervisor = SupervisorConfig{};
  config.compositor_lives_on = lives_on;
  return config;
}

struct Answer {
  std::string method_or_status;  // of a call, or of a reply to a command
  msg::Value payload;            // params, or the result
  std::string error;
};

class SupervisionTest : public testing::Test {
 protected:
  void step(Input input) {
    Outputs out;
    core_->step(now_, std::move(input), out);
    ASSERT_TRUE(core_->check_invariants());
    starts_ += out.start_child ? 1 : 0;
    if (out.signal_child) signals_.push_back(*out.signal_child);
    finished_ = out.finished;
    for (wire::Frames& frames : out.sends) take(std::move(frames));
  }
  void take(wire::Frames frames) {
    const auto parsed = wire::parse_at_broker(std::move(frames));
    if (const auto* request = std::get_if<mdp::ClientRequest>(&parsed->message)) {
      const msg::Call call = msg::parse_call(request->body).value();
      sent_.push_back({call.header.method, call.params, ""});
      answer_call(call);
    } else if (const auto* reply = std::get_if<mdp::WorkerReply>(&parsed->message)) {
      const msg::Reply answer = msg::parse_reply(reply->body).value();
      sent_.push_back({std::to_string(answer.header.status), answer.result, answer.header.error.value_or("")});
    }
  }
  // The broker answers whatever is asked, unless broker_silent_.
  void answer_call(const msg::Call& call) {
    if (broker_silent_) return;
    msg::Reply reply;
    reply.header.id = call.header.id;
    reply.header.status = to_number(Status::kDone);
    reply.result =
        call.header.method != "register"
            ? msg::Value::map()
            : msg::Value::map({{"epoch", 1}, {"session", 1}, {"heartbeat_ms", 60'000}, {"liveness", 3}, {"credit", 8}});
    step(input::Received{wire::serialize(kDialect, mdp::ClientReply{true, "bus.agent", msg::serialize_reply(reply)})});
  }
  void request(const char* method, msg::Value params = msg::Value::map()) {
    msg::Call call;
    call.header.id = 7;
    call.header.method = method;
    call.params = std::move(params);
    step(input::Received{wire::serialize(kDialect, mdp::WorkerRequest{"client", msg::serialize_call(call)})});
  }
  void begin(bool lives_on = false) {
    core_.emplace(make_config(lives_on), 7, now_);
    step(input::CalendarSet{1'000});
    step(input::Tick{});
    step(input::BusConnected{});
    EXPECT_EQ(starts_, 1);
  }
  void come_up(std::int64_t pid) {
    step(input::ChildStarted{pid});
    step(input::DriverStarted{});
    msg::Manifest manifest;
    manifest.name = "sway";
    manifest.pid = static_cast<std::uint64_t>(pid);
    step(input::FromDriver{driver_event::Described{manifest}});
  }
  void begin_up(std::int64_t pid = 41, bool lives_on = false) {
    begin(lives_on);
    come_up(pid);
    sent_.clear();
  }
  void crash() { step(input::ChildEnded{ProcessEnd{{}, 11}, "killed by signal 11 (SIGSEGV)"}); }
  void end() { step(input::ChildEnded{ProcessEnd{0, {}}, "exited with code 0"}); }
  void pass(Duration duration) {
    now_ = now_ + duration;
    step(input::Tick{});
  }
  // The last of that name or status; fails when there is none.
  Answer last(const std::string& what) {
    const auto it =
        std::find_if(sent_.rbegin(), sent_.rend(), [&](const Answer& a) { return a.method_or_status == what; });
    if (it != sent_.rend()) return *it;
    ADD_FAILURE() << "no " << what << " was sent";
    return {};
  }
  bool was_sent(const std::string& what) const {
    return std::any_of(sent_.begin(), sent_.end(), [&](const Answer& a) { return a.method_or_status == what; });
  }

  std::optional<AgentCore> core_;
  Instant now_ = Instant() + seconds(10);
  int starts_ = 0;
  std::vector<ChildSignal> signals_;
  std::vector<Answer> sent_;
  bool broker_silent_ = false;
  bool finished_ = false;
};

TEST_F(SupervisionTest, TheManifestListsRestartAndStop) {
  begin();
  come_up(41);
  const msg::Value manifest = *last("manifest.put").payload.find("manifest");
  const msg::Value::Array commands = *manifest.find("commands")->if_array();
  ASSERT_THAT(commands, SizeIs(4));
  EXPECT_EQ(*commands[0].find("name"), msg::Value("output.confirm"));
  EXPECT_EQ(*commands[0].find("supported"), msg::Value(false)) << "no output can be changed";
  EXPECT_EQ(*commands[1].find("name"), msg::Value("launch"));
  EXPECT_EQ(*commands[1].find("supported"), msg::Value(false)) << "nobody allowed it";
  EXPECT_EQ(*commands[2].find("name"), msg::Value("restart"));
  EXPECT_EQ(*commands[3].find("supported"), msg::Value(true));
}

TEST_F(SupervisionTest, ACrashIsToldOnceWithWhatWasRecorded) {
  begin_up();
  step(input::ChildPrinted{"about to fail\n"});
  crash();
  const Answer status = last("status");
  const msg::Value* told = status.payload.find("crash");
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(*told->find("pid"), msg::Value(41));
  EXPECT_EQ(told->find("log")->if_array()->front(), msg::Value("about to fail"));
  EXPECT_FALSE(told->find("events")->if_array()->empty());
  EXPECT_EQ(*status.payload.find("process")->find("signal"), msg::Value(11));
  EXPECT_EQ(*status.payload.find("process")->find("note"), msg::Value("it will be started again"));
  sent_.clear();
  pass(seconds(1));
  EXPECT_EQ(starts_, 2);
  come_up(42);
  EXPECT_EQ(last("status").payload.find("crash"), nullptr);
  EXPECT_EQ(last("status").payload.find("process")->find("note"), nullptr);
}

TEST_F(SupervisionTest, HowOftenItWasStartedAgainIsTold) {
  begin();
  come_up(41);
  EXPECT_EQ(*last("status").payload.find("metrics")->find("restarts"), msg::Value(0));
  crash();
  EXPECT_EQ(*last("status").payload.find("metrics")->find("restarts"), msg::Value(0)) << "it is not started yet";
  pass(seconds(1));
  come_up(42);
  EXPECT_EQ(*last("status").payload.find("metrics")->find("restarts"), msg::Value(1));
}

TEST_F(SupervisionTest, ACrashIsToldAgainInANewSession) {
  begin_up();
  crash();
  step(input::BusDisconnected{});
  sent_.clear();
  pass(seconds(10));
  step(input::BusConnected{});
  EXPECT_NE(last("status").payload.find("crash"), nullptr);
}

TEST_F(SupervisionTest, ACrashWhoseReportWasNotAnsweredIsToldAgain) {
  begin_up();
  broker_silent_ = true;
  crash();
  EXPECT_NE(last("status").payload.find("crash"), nullptr);
  sent_.clear();
  pass(seconds(6));
  EXPECT_NE(last("status").payload.find("crash"), nullptr);
}

TEST_F(SupervisionTest, ACrashLoopIsToldInTheStatus) {
  begin_up();
  for (int i = 0; i < 4; ++i) {
    crash();
    pass(seconds(2));
    step(input::ChildStarted{42 + i});
  }
  crash();
  EXPECT_THAT(*last("status").payload.find("process")->find("note")->if_string(), HasSubstr("crash loop"));
  pass(seconds(100));
  EXPECT_EQ(starts_, 5);
}

TEST_F(SupervisionTest, AStopIsAnsweredWhenTheProcessHasEndedAndIsNoCrash) {
  begin_up();
  request("stop");
  EXPECT_THAT(signals_, testing::ElementsAre(ChildSignal::kTerminate));
  EXPECT_FALSE(was_sent("200"));
  end();
  EXPECT_EQ(last("200").payload,
            msg::Value::map({{"before", msg::Value::map({{"pid", 41}})}, {"after", msg::Value::map({{"code", 0}})}}));
  EXPECT_EQ(last("status").payload.find("crash"), nullptr);
  EXPECT_EQ(*last("status").payload.find("process")->find("note"), msg::Value("it was stopped on request"));
  pass(seconds(100));
  EXPECT_EQ(starts_, 1);
}

TEST_F(SupervisionTest, ARestartIsAnsweredWhenTheNewOneHasAnswered) {
  begin_up();
  request("restart");
  end();
  EXPECT_EQ(starts_, 2);
  step(input::ChildStarted{42});
  step(input::DriverStarted{});
  EXPECT_FALSE(was_sent("200"));
  step(input::FromDriver{driver_event::Described{}});
  EXPECT_EQ(last("200").payload,
            msg::Value::map({{"before", msg::Value::map({{"pid", 41}})}, {"after", msg::Value::map({{"pid", 42}})}}));
}

TEST_F(SupervisionTest, ARestartThatDoesNotComeUpIsAFailure) {
  begin_up();
  request("restart");
  end();
  step(input::ChildStarted{42});
  crash();
  EXPECT_THAT(last("500").error, HasSubstr("killed by signal 11 (SIGSEGV) before it answered"));
  request("restart");
  step(input::ChildStartFailed{"sway can't be executed: No such file or directory"});
  EXPECT_THAT(last("500").error, HasSubstr("sway can't be executed"));
}

TEST_F(SupervisionTest, ALaterCommandReplacesTheEarlier) {
  begin_up();
  request("restart");
  request("stop");
  EXPECT_THAT(last("409").error, HasSubstr("a stop command came after it"));
  end();
  EXPECT_TRUE(was_sent("200"));
  EXPECT_EQ(starts_, 1);
}

TEST_F(SupervisionTest, ARestartEndsAtItsDeadlineAndGoesOn) {
  begin_up();
  request("restart");
  pass(seconds(10));
  EXPECT_TRUE(was_sent("504"));
  end();
  EXPECT_EQ(starts_, 2);
}

TEST_F(SupervisionTest, ParametersAreRefused) {
  begin_up();
  request("stop", msg::Value::map({{"now", true}}));
  EXPECT_THAT(last("400").error, HasSubstr("stop takes no parameters"));
  EXPECT_TRUE(signals_.empty());
}

TEST_F(SupervisionTest, AnAgentThatIsToEndEndsItsCompositorFirst) {
  begin_up();
  step(input::Stop{});
  EXPECT_THAT(signals_, testing::ElementsAre(ChildSignal::kTerminate));
  EXPECT_FALSE(was_sent("leave"));
  request("restart");
  EXPECT_THAT(last("410").error, HasSubstr("about to end"));
  pass(seconds(5));
  EXPECT_EQ(signals_.back(), ChildSignal::kKill);
  end();
  EXPECT_TRUE(was_sent("leave"));
  EXPECT_EQ(starts_, 1);
  step(input::Tick{});
  EXPECT_TRUE(finished_);
}

TEST_F(SupervisionTest, AnAgentThatIsToEndDuringTheBackOffEndsAtOnce) {
  begin_up();
  crash();
  step(input::Stop{});
  EXPECT_TRUE(was_sent("leave"));
}

TEST_F(SupervisionTest, ACompositorThatIsToLiveOnIsLeftAlone) {
  begin_up(41, true);
  step(input::Stop{});
  EXPECT_TRUE(signals_.empty());
  EXPECT_TRUE(was_sent("leave"));
}

}  // namespace
}  // namespace compositord::agent
