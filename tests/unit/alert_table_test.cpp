// Which alerts fire, which are resolved, and which stay because nothing can be known.

#include "broker/core/alert_table.h"

#include <gtest/gtest.h>

namespace compositord::broker {
namespace {

const Fault kKilled{"process", msg::Verdict::kDown, "killed"};
const Fault kSlow{"progress", msg::Verdict::kDegraded, "slow"};
const Fault kFrozen{"progress", msg::Verdict::kDown, "frozen"};
const Fault kLost{"link", msg::Verdict::kUnknown, "lost"};

class AlertTableTest : public testing::Test {
 protected:
  AlertTableTest() { status_.id = "wall/0", status_.labels = {{"site", "berlin"}}; }
  // What changed, as "state severity layer since".
  std::vector<std::string> update(const std::vector<Fault>& faults, std::int64_t now_ms) {
    std::vector<std::string> changes;
    for (const msg::Alert& alert : table_.update(status_, faults, UnixMs{now_ms})) {
      EXPECT_EQ(alert.id, "wall/0");
      EXPECT_EQ(alert.at.ms, now_ms);
      changes.push_back(std::string(name_of(alert.state)) + " " + std::string(name_of(alert.severity)) + " " +
                        alert.layer + " " + std::to_string(alert.since.ms));
    }
    return changes;
  }
  using Changes = std::vector<std::string>;
  AlertTable table_;
  msg::Status status_;
};

TEST_F(AlertTableTest, AFaultFiresOnceAndIsResolvedOnce) {
  EXPECT_EQ(update({kKilled}, 1), Changes{"firing critical process 1"});
  EXPECT_EQ(update({kKilled}, 2), Changes{});
  EXPECT_EQ(table_.firing_count("wall/0"), 1U);
  EXPECT_EQ(update({}, 3), Changes{"resolved critical process 1"});
  EXPECT_EQ(update({}, 4), Changes{});
  EXPECT_EQ(table_.firing_count("wall/0"), 0U);
}

TEST_F(AlertTableTest, AWorseFaultOfTheSameLayerIsAWholeLifeForEachSeverity) {
  EXPECT_EQ(update({kSlow}, 1), Changes{"firing warning progress 1"});
  EXPECT_EQ(update({kFrozen}, 2), (Changes{"resolved warning progress 1", "firing critical progress 1"}));
  EXPECT_EQ(update({kSlow}, 3), (Changes{"resolved critical progress 1", "firing warning progress 1"}));
}

TEST_F(AlertTableTest, ANewTextIsSaidWithoutResolving) {
  update({kSlow}, 1);
  Fault because = kSlow;
  because.text = "slow (spinning)";
  EXPECT_EQ(update({because}, 2), Changes{"firing warning progress 1"});
}

TEST_F(AlertTableTest, ALostAgentResolvesNothing) {
  update({kKilled}, 1);
  EXPECT_EQ(update({kLost}, 2), Changes{"firing warning link 2"});
  EXPECT_EQ(table_.firing_count("wall/0"), 2U);
  EXPECT_EQ(update({}, 3), (Changes{"resolved warning link 2", "resolved critical process 1"}));
}

TEST_F(AlertTableTest, LayersAreIndependent) {
  EXPECT_EQ(update({kSlow, {"output/DP-1", msg::Verdict::kDegraded, "off"}}, 1),
            (Changes{"firing warning progress 1", "firing warning output/DP-1 1"}));
  EXPECT_EQ(update({{"output/DP-1", msg::Verdict::kDegraded, "off"}}, 2), Changes{"resolved warning progress 1"});
}

}  // namespace
}  // namespace compositord::broker
