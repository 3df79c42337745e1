// bus.status sla and outages in the core: which period is asked of the store, and what is made of its rows. Virtual time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "broker/core/broker_core.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kNowMs = 1'800'000'000'000;
constexpr std::uint64_t kEpoch = 7;

class HistoryService : public testing::Test {
 protected:
  HistoryService() {
    step(input::CalendarSet{kNowMs});
    CompositorRecord known;
    known.id = "wall/w1";
    StoredState stored;
    stored.epoch = kEpoch;
    stored.compositors.push_back(known);
    core_.load(now_, stored, out_);
  }
  void step(Input input) {
    out_.clear();
    core_.step(now_, std::move(input), out_);
    ASSERT_TRUE(core_.check_invariants());
  }
  // The broker ran for two hours, in which the compositor was ok and, in the second one, down.
  static StoreRows rows() {
    StoreRows rows;
    for (const auto& [hours_ago, verdict] : {std::pair(2, msg::Verdict::kOk), std::pair(1, msg::Verdict::kDown)}) {
      StatusChange change;
      change.id = "wall/w1";
      change.epoch = kEpoch;
      change.at = UnixMs{kNowMs - hours_ago * kHourMs};
      change.verdict = verdict;
      rows.changes.push_back(change);
    }
    rows.runs.push_back(BrokerRun{kEpoch, UnixMs{kNowMs - 2 * kHourMs}, UnixMs{kNowMs}, {}, 0});
    return rows;
  }
  // What the core answers to a call whose question of the store gets rows().
  std::string ask(const std::string& method, const std::string& params) {
    const std::string body = fmt::format(R"({{"v":1,"id":1,"method":"{}","params":{}}})", method, params);
    step(input::Received{wire::RoutingId("ops"), wire::serialize({}, wire::mdp::ClientRequest{"bus.status", {body}})});
    EXPECT_EQ(out_.store_reads.size(), 1U);
    if (out_.store_reads.empty()) return {};
    query_ = std::get<ChangesQuery>(out_.store_reads.front().query);
    step(input::StoreAnswered{out_.store_reads.front().read_id, rows()});
    std::string text;
    for (const Send& send : out_.sends) {
      const auto parsed = wire::parse_from_broker(wire::Frames(send.frames));
      if (const auto* reply = std::get_if<wire::mdp::ClientReply>(&parsed->message)) text += reply->body.at(0).str();
    }
    return text;
  }

  Instant now_;
  Outputs out_;
  ChangesQuery query_;
  BrokerCore core_{BrokerConfig{}, 1};
};

TEST_F(HistoryService, AvailabilityIsMeasuredUntilNowAndNotOfTheFuture) {
  for (const std::string& until : {std::string(), fmt::format(R"(,"until":{})", kNowMs + 24 * kHourMs)}) {
    const std::string params = fmt::format(R"({{"since":{}{}}})", kNowMs - 2 * kHourMs, until);
    const std::string sla = ask("sla", params);
    EXPECT_EQ(query_.until, UnixMs{kNowMs});
    EXPECT_THAT(sla, HasSubstr(fmt::format(R"("until":{},)", kNowMs)));
    EXPECT_THAT(sla, HasSubstr(fmt::format(R"("ok_ms":{},)", kHourMs)));
    EXPECT_THAT(sla, HasSubstr(fmt::format(R"("down_ms":{},)", kHourMs)));
    EXPECT_THAT(sla, HasSubstr(R"("ok_share":0.5)"));
    // An outage that goes on has no end, and is no longer than it was until now.
    EXPECT_THAT(ask("outages", params), HasSubstr(fmt::format(R"("until":null,"ms":{},)", kHourMs)));
  }
}

TEST_F(HistoryService, AvailabilityIsMeasuredUntilThePastThatWasAskedFor) {
  const std::string params = fmt::format(R"({{"since":{},"until":{}}})", kNowMs - 2 * kHourMs, kNowMs - kHourMs / 2);
  EXPECT_THAT(ask("sla", params), HasSubstr(fmt::format(R"("down_ms":{},)", kHourMs / 2)));
  EXPECT_EQ(query_.until, UnixMs{kNowMs - kHourMs / 2});
}

}  // namespace
}  // namespace compositord::broker
