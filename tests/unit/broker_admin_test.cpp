// bus.admin log.level and reload in the core: what is asked of the loop, and what callers hear. Virtual time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "broker/core/broker_core.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BrokerAdmin : public testing::Test {
 protected:
  BrokerAdmin() {
    step(input::CalendarSet{});
    core_.load(now_, {}, out_);
  }
  void step(Input input) {
    out_.clear();
    core_.step(now_, std::move(input), out_);
    ASSERT_TRUE(core_.check_invariants());
  }
  void call(const std::string& method, const std::string& params = "{}") {
    const std::string body =
        fmt::format(R"({{"v":1,"id":1,"deadline_ms":5000,"method":"{}","params":{}}})", method, params);
    step(input::Received{wire::RoutingId("ops"), wire::serialize({}, wire::mdp::ClientRequest{"bus.admin", {body}})});
  }
  // What was answered in the last step.
  std::string answer() const {
    std::string text;
    for (const Send& send : out_.sends) {
      const auto parsed = wire::parse_from_broker(wire::Frames(send.frames));
      if (const auto* reply = std::get_if<wire::mdp::ClientReply>(&parsed->message)) text += reply->body.at(0).str();
    }
    return text;
  }
  std::vector<std::string> logged() const {
    std::vector<std::string> lines;
    for (const LogEvent& event : out_.log) lines.push_back(to_text(event));
    return lines;
  }

  Instant now_;
  Outputs out_;
  BrokerCore core_{BrokerConfig{}, 1};
};

TEST_F(BrokerAdmin, TheLevelIsAskedOfTheLoopOnceAndTold) {
  call("log.level");
  EXPECT_THAT(answer(), HasSubstr(R"("result":{"level":"info","configured":"info"})"));
  EXPECT_THAT(out_.log_levels, IsEmpty());
  call("log.level", R"({"level":"debug"})");
  EXPECT_THAT(answer(), HasSubstr(R"("level":"debug")"));
  EXPECT_THAT(out_.log_levels, ElementsAre(Severity::kDebug));
  EXPECT_THAT(logged(), ElementsAre("log.level_changed from=info to=debug why=\"bus.admin log.level\""));
  call("log.level", R"({"level":"debug"})");
  EXPECT_THAT(out_.log_levels, IsEmpty()) << "it is so already";
  EXPECT_THAT(logged(), IsEmpty());
  call("log.level", R"({"level":"DEBUG"})");
  EXPECT_THAT(answer(), HasSubstr(R"("status":400)"));
  EXPECT_THAT(out_.log_levels, IsEmpty());
}

TEST_F(BrokerAdmin, AReloadIsAnsweredWhenTheFileWasRead) {
  call("reload");
  EXPECT_THAT(answer(), IsEmpty());
  ASSERT_THAT(out_.reloads, ElementsAre(1U));
  input::Reloaded::Taken taken;
  taken.config.log_level = "warning";
  taken.config.heartbeat_interval = seconds(7);
  taken.applied = {"heartbeat.interval", "log.level"};
  taken.restart = {"bus"};
  step(input::Reloaded{1, taken});
  EXPECT_THAT(answer(), HasSubstr(R"("result":{"applied":["heartbeat.interval","log.level"],"restart":["bus"]})"));
  EXPECT_THAT(out_.log_levels, ElementsAre(Severity::kWarning));
  EXPECT_THAT(logged(), ElementsAre("config.reloaded applied=\"heartbeat.interval, log.level\" restart=bus",
                                    "log.level_changed from=info to=warning why=reload"));
  call("config");
  EXPECT_THAT(answer(), HasSubstr(R"("heartbeat_ms":7000)"));
}

TEST_F(BrokerAdmin, AFaultIsToldToTheCallerInFullAndLoggedInALine) {
  call("reload");
  step(input::Reloaded{1, fail(Status::kFailed, "x.yaml:7:3: unknown key\n    7 | y\n")});
  EXPECT_THAT(answer(), HasSubstr(R"("status":500)"));
  EXPECT_THAT(answer(), HasSubstr(R"(x.yaml:7:3: unknown key\n    7 | y)"));
  EXPECT_THAT(logged(), ElementsAre("config.refused why=\"x.yaml:7:3: unknown key\""));
  step(input::Reloaded{1, fail(Status::kFailed, "again")});
  EXPECT_THAT(answer(), IsEmpty()) << "it was answered";
  step(input::Reloaded{0, fail(Status::kFailed, "a signal's")});
  EXPECT_THAT(answer(), IsEmpty());
}

TEST_F(BrokerAdmin, AReloadEndsByItsDeadline) {
  call("reload");
  std::string answers;
  for (int i = 0; i < 7; ++i) {
    now_ = now_ + seconds(1);
    step(input::Tick{});
    answers += answer();
    EXPECT_TRUE(answers.empty() || i >= 3) << i;
  }
  EXPECT_THAT(answers, HasSubstr(R"("status":504)"));
  step(input::Reloaded{1, input::Reloaded::Taken{}});
  EXPECT_THAT(answer(), IsEmpty());
}

TEST_F(BrokerAdmin, ReloadsThatWaitAreBounded) {
  for (int i = 0; i < 16; ++i) call("reload");
  EXPECT_THAT(answer(), IsEmpty());
  call("reload");
  EXPECT_THAT(answer(), HasSubstr(R"("status":429)"));
  EXPECT_THAT(out_.reloads, IsEmpty());
}

}  // namespace
}  // namespace compositord::broker
