// What `top` shows: as text the figures that there is room for, as JSON all of them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/compositorctl/metric_columns.h"
#include "tools/compositorctl/text.h"
#include "tools/compositorctl/top_text.h"

namespace compositord::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'700'000'000'000;

msg::Metrics figures(std::uint64_t clients) {
  return {1'234, 4'800, std::uint64_t{142} << 20, 3.14, clients, std::nullopt};
}

TEST(CtlText, HasThreeDigitsOfARoundTrip) {
  EXPECT_EQ(round_trip_text(0), "0 ms");
  EXPECT_EQ(round_trip_text(123), "0.123 ms");
  EXPECT_EQ(round_trip_text(4'812), "4.81 ms");
  EXPECT_EQ(round_trip_text(999'499), "999 ms");
  EXPECT_EQ(round_trip_text(999'500), "1 s");
  EXPECT_EQ(round_trip_text(12'340'000), "12.3 s");
}

TEST(CtlTop, ShowsTheFiguresThatThereIsRoomForTheMostWorthFirst) {
  const std::vector<msg::Metrics> rows{figures(7), {}};
  const MetricColumns all(rows, 100);
  EXPECT_EQ(all.header(), "   P99   MEMORY    CPU  CLIENTS  ") << "nobody has restarts";
  EXPECT_EQ(all.cells(rows[0]), "4.8 ms  142 MiB  3.1 %        7  ");
  EXPECT_EQ(all.cells(rows[1]), "     -        -      -        -  ");
  const std::size_t whole = all.header().size();
  EXPECT_EQ(MetricColumns(rows, whole).header(), all.header());
  EXPECT_EQ(MetricColumns(rows, whole - 1).header(), "   P99   MEMORY    CPU  ");
  EXPECT_EQ(MetricColumns(rows, 8).header(), "   P99  ");
  EXPECT_EQ(MetricColumns(rows, 7).header(), "  CPU  ") << "what is narrower may fit";
  EXPECT_EQ(MetricColumns(rows, 0).header(), "");
  EXPECT_EQ(MetricColumns(rows, 0).cells(rows[0]), "");
  EXPECT_EQ(MetricColumns({}, 100).header(), "");
}

class CtlTopView : public testing::Test {
 protected:
  static msg::Status status(const std::string& id, msg::Verdict verdict, const std::string& reason = {}) {
    msg::Status status;
    status.id = id;
    status.verdict = verdict;
    status.reason = reason;
    status.since = UnixMs{kNow - 60'000};
    status.link.state = msg::Link::kConnected;
    status.metrics = figures(12);
    return status;
  }
  void show(std::vector<msg::Status> statuses) {
    feed::FeedMessage hello;
    hello.topic = "hello/1";
    hello.kind = "hello";
    hello.epoch = 1;
    hello.seq = 1;
    hello.time = UnixMs{kNow};
    hello.payload = msg::Value::map({{"seqs", msg::Value::map({{"status", 0}, {"alert", 0}})}});
    feed::Snapshot snapshot{1, {{"status", 0}, {"alert", 0}}, {}, {}};
    for (msg::Status& one : statuses) snapshot.statuses.push_back({0, std::move(one)});
    view_.handshake_started(hello.topic);
    feed::FeedOutputs out;
    view_.on_message(hello, out);
    view_.on_snapshot(snapshot, out);
  }
  std::string text(std::size_t columns, std::size_t rows = 0) const {
    return top_text(view_, metrics_, {rows, columns}, UnixMs{kNow}, false);
  }

  feed::FeedView view_{{"status", "alert"}};
  FreshMetrics metrics_;
};

TEST_F(CtlTopView, HasFiguresWhereTheReasonKeepsItsRoom) {
  show({status("wall-1/wayland-1", msg::Verdict::kOk), status("wall-2/wayland-1", msg::Verdict::kDown, "it is gone")});
  EXPECT_THAT(text(0),
              HasSubstr("down         wall-2/wayland-1      60 s  4.8 ms  142 MiB  3.1 %       12  it is gone\n"));
  EXPECT_THAT(text(120), HasSubstr("VERDICT      ID                   SINCE     P99   MEMORY    CPU  CLIENTS  WHY\n"));
  EXPECT_THAT(text(80), HasSubstr("VERDICT      ID                   SINCE     P99    CPU  WHY\n"));
  EXPECT_THAT(text(60), HasSubstr("VERDICT      ID                   SINCE  WHY\n"));
  for (const std::size_t columns : {1U, 20U, 40U, 70U, 80U, 100U}) {
    std::size_t begin = 0;
    const std::string frame = text(columns);
    while (begin < frame.size()) {
      const std::size_t end = frame.find('\n', begin);
      EXPECT_LE(width_of(frame.substr(begin, end - begin)), std::max<std::size_t>(columns, 14)) << frame;
      begin = end + 1;
    }
  }
}

TEST_F(CtlTopView, HasNoFiguresOfACompositorWhoseAgentIsAway) {
  msg::Status lost = status("wall-1/wayland-1", msg::Verdict::kUnknown, "the agent is lost");
  lost.link.state = msg::Link::kLost;
  show({lost});
  EXPECT_THAT(text(0), Not(HasSubstr("142 MiB")));
  const Result<msg::Value> json = msg::decode_json(top_json(view_, metrics_, UnixMs{kNow}));
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find("compositors")->if_array()->front().find("metrics"), nullptr);
}

TEST_F(CtlTopView, AsJsonHasEverythingOnOneLine) {
  show({status("a/b", msg::Verdict::kOk), status("c/d", msg::Verdict::kDegraded, "slow\n")});
  const std::string line = top_json(view_, metrics_, UnixMs{kNow});
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  const Result<msg::Value> json = msg::decode_json(line);
  ASSERT_TRUE(json);
  EXPECT_EQ(*json->find("time"), msg::Value(kNow));
  EXPECT_EQ(*json->find("up_to"), msg::Value(kNow));
  EXPECT_EQ(*json->find("complete"), msg::Value(true));
  EXPECT_EQ(*json->find("verdicts")->find("degraded"), msg::Value(1));
  const msg::Value& worst = json->find("compositors")->if_array()->front();
  EXPECT_EQ(*worst.find("id"), msg::Value("c/d"));
  EXPECT_EQ(*worst.find("metrics")->find("clients"), msg::Value(12));
}

}  // namespace
}  // namespace compositord::ctl
