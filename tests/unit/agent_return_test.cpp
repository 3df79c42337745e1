// What is told of agents that the broker knows from an earlier run: one stays away, one comes back and says nothing, one reports.
// Virtual time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/compositor_table_test.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kSilent = "the agent has come back since the broker was started, and has not reported yet";

class AgentReturnTest : public CompositorTableTest {
 protected:
  AgentReturnTest() : CompositorTableTest(Instant{} + seconds(1'000)) {}

  void know(const std::vector<std::string>& ids) {
    std::vector<CompositorRecord> records;
    for (const std::string& id : ids) {
      CompositorRecord record;
      record.id = id;
      record.labels = {{"site", "berlin"}};
      record.last_seen = calendar();
      records.push_back(record);
    }
    table_.load(records, now(), out_);
  }
  void come_back(const std::string& id) {
    const msg::CompositorId agent{id};
    table_.admit(agent, {{"site", "berlin"}}, calendar());
    table_.set_link(agent, msg::Link::kConnected, "it registered", calendar(), now(), out_);
  }
  void lose(const std::string& id) {
    table_.set_link(msg::CompositorId{id}, msg::Link::kLost, "its connection closed", calendar(), now(), out_);
  }
  void report(const std::string& id, msg::Process process = msg::Process::kRunning) {
    msg::StatusReport report;
    report.sent_at = calendar();
    report.process.state = process;
    report.progress.state = msg::Progress::kOk;
    table_.report(msg::CompositorId{id}, report, now(), out_);
  }
  void pass(Duration time) {
    const Instant end = now_ + time;
    while (const std::optional<Timer> timer = timers_.pop_due(end)) {
      now_ = std::max(now_, timer->at);
      engine_.on_timer(timer->kind, now(), out_);
      ASSERT_TRUE(engine_.check_invariants());
    }
    now_ = end;
  }

  const Duration grace_ = config_.alerts.return_grace;
};

TEST_F(AgentReturnTest, OneThatStaysAwayHasNotComeBack) {
  know({"wall/0"});
  pass(grace_);
  ASSERT_THAT(firing(), SizeIs(1));
  EXPECT_EQ(firing().front().text, "the agent has not come back since the broker was started");
}

TEST_F(AgentReturnTest, OneThatComesBackLateAndSaysNothingIsNoLongerToldAsAway) {
  know({"wall/0"});
  pass(grace_);
  const std::string alert = firing().front().alert;
  come_back("wall/0");
  ASSERT_THAT(firing(), SizeIs(1));
  EXPECT_EQ(firing().front().text, kSilent);
  EXPECT_EQ(firing().front().alert, alert) << "it is the same fault, told better";
  report("wall/0");
  EXPECT_THAT(firing(), IsEmpty());
}

TEST_F(AgentReturnTest, OneThatReportsIsNoNews) {
  know({"wall/0"});
  pass(grace_ - milliseconds(1));
  come_back("wall/0");
  pass(seconds(1));
  report("wall/0");
  pass(grace_ * 3);
  EXPECT_THAT(firing(), IsEmpty());
}

TEST_F(AgentReturnTest, OneThatIsConnectedAndSaysNothingIsToldAsThatAndNotAsAway) {
  know({"wall/0"});
  pass(grace_ - milliseconds(1));
  come_back("wall/0");
  pass(grace_ - milliseconds(1));
  EXPECT_THAT(firing(), IsEmpty()) << "it has as long for its first report";
  pass(milliseconds(1));
  ASSERT_THAT(firing(), SizeIs(1));
  EXPECT_EQ(firing().front().text, kSilent);
  EXPECT_EQ(firing().front().about, "agent");
  EXPECT_EQ(firing().front().advice, "Look at the agent's log on the host; restart the agent.");
  report("wall/0");
  EXPECT_THAT(firing(), IsEmpty());
}

TEST_F(AgentReturnTest, ThoseThatSayNothingAreNotLostTogether) {
  know({"a/0", "b/0", "c/0"});
  for (const char* id : {"a/0", "b/0", "c/0"}) come_back(id);
  pass(grace_);
  ASSERT_THAT(firing(), SizeIs(3));
  for (const msg::Alert& alert : firing()) EXPECT_EQ(alert.text, kSilent);
}

TEST_F(AgentReturnTest, OneThatIsLostAgainBeforeItReportedIsToldAtOnceAsLost) {
  know({"wall/0"});
  come_back("wall/0");
  pass(seconds(1));
  lose("wall/0");
  pass(seconds(1));
  ASSERT_THAT(firing(), SizeIs(1));
  EXPECT_EQ(firing().front().text, "the agent is lost");
  come_back("wall/0");
  pass(grace_ * 2);
  ASSERT_THAT(firing(), SizeIs(1));
  EXPECT_EQ(firing().front().text, "the agent is lost") << "what was wrong stays so until it speaks";
}

TEST_F(AgentReturnTest, WhatTheFirstReportSaysIsToldAtOnce) {
  know({"wall/0"});
  come_back("wall/0");
  report("wall/0", msg::Process::kExited);
  ASSERT_THAT(firing(), SizeIs(1));
  EXPECT_EQ(firing().front().about, "compositor");
}

}  // namespace
}  // namespace compositord::broker
