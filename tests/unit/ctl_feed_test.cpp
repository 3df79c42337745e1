// The feed's messages, the choice of its endpoint, and the view that a subscriber has: every transition of feed_view.h.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/compositorctl/feed_message.h"
#include "tools/compositorctl/feed_view.h"

namespace compositord::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = FeedView::State;

constexpr const char* kHello = "hello/1";

msg::Value seqs(std::uint64_t status, std::uint64_t alert) {
  return msg::Value::map({{"seqs", msg::Value::map({{"status", status}, {"alert", alert}, {"manifest", 99}})}});
}

FeedMessage message(std::string topic, std::string kind, std::uint64_t epoch, std::uint64_t seq, msg::Value payload) {
  FeedMessage m;
  m.topic = std::move(topic);
  m.kind = std::move(kind);
  m.epoch = epoch;
  m.seq = seq;
  m.time = UnixMs{1'000};
  m.payload = std::move(payload);
  return m;
}

msg::Status status(const std::string& id, msg::Verdict verdict) {
  msg::Status s;
  s.id = id;
  s.verdict = verdict;
  return s;
}

FeedMessage hello(std::uint64_t epoch, std::uint64_t status_seq, std::uint64_t alert_seq = 0) {
  return message(kHello, "hello", epoch, 1, seqs(status_seq, alert_seq));
}
FeedMessage tick(std::uint64_t epoch, std::uint64_t status_seq, std::uint64_t alert_seq = 0) {
  return message("bus/tick", "bus", epoch, 1, seqs(status_seq, alert_seq));
}
FeedMessage status_message(std::uint64_t seq, const std::string& id, msg::Verdict verdict, std::uint64_t epoch = 1) {
  return message("status/" + id, "status", epoch, seq, to_value(status(id, verdict)));
}
FeedMessage alert_message(std::uint64_t seq) {
  msg::Alert alert;
  alert.id = "a/b";
  return message("alert/critical/a/b", "alert", 1, seq, to_value(alert));
}

class CtlFeedView : public testing::Test {
 protected:
  FeedOutputs feed(const FeedMessage& m) {
    FeedOutputs out;
    view_.on_message(m, out);
    return out;
  }
  FeedOutputs snapshot(const Snapshot& s) {
    FeedOutputs out;
    view_.on_snapshot(s, out);
    return out;
  }
  // Live in epoch 1, with a/b ok at status seq 5 and alert seq 2.
  void go_live() {
    view_.handshake_started(kHello);
    ASSERT_TRUE(feed(hello(1, 5, 2)).take_snapshot);
    snapshot({1, {{5, status("a/b", msg::Verdict::kOk)}}});
    ASSERT_EQ(view_.state(), State::kLive);
  }
  FeedView view_{{"status", "alert"}};
};

TEST_F(CtlFeedView, BelievesNothingBeforeItsHello) {
  view_.handshake_started(kHello);
  EXPECT_THAT(feed(status_message(1, "a/b", msg::Verdict::kOk)).changes, IsEmpty());
  EXPECT_THAT(feed(message("hello/2", "hello", 1, 1, seqs(0, 0))).changes, IsEmpty());
  EXPECT_EQ(view_.state(), State::kNoHello);
}

TEST_F(CtlFeedView, BelievesNothingBeforeItsNextHello) {
  go_live();
  view_.handshake_started("hello/2");
  const FeedOutputs out = feed(status_message(6, "a/b", msg::Verdict::kDown));
  EXPECT_THAT(out.changes, IsEmpty());
  EXPECT_FALSE(out.take_snapshot);
  EXPECT_FALSE(feed(tick(2, 0)).start_handshake) << "the handshake is under way";
}

TEST_F(CtlFeedView, TakesASnapshotAfterItsHelloAndShowsIt) {
  view_.handshake_started(kHello);
  const FeedOutputs asked = feed(hello(1, 5));
  EXPECT_TRUE(asked.take_snapshot);
  EXPECT_THAT(asked.notes, IsEmpty());
  const FeedOutputs shown =
      snapshot({1, {{5, status("a/b", msg::Verdict::kOk)}, {0, status("c/d", msg::Verdict::kUnknown)}}});
  ASSERT_EQ(shown.changes.size(), 2U);
  EXPECT_TRUE(shown.changes[0].from_snapshot);
  EXPECT_FALSE(shown.changes[0].before.has_value());
  EXPECT_EQ(view_.state(), State::kLive);
}

TEST_F(CtlFeedView, ShowsALiveChangeWithWhatWasBefore) {
  go_live();
  const FeedOutputs out = feed(status_message(6, "a/b", msg::Verdict::kDown));
  ASSERT_EQ(out.changes.size(), 1U);
  EXPECT_EQ(out.changes[0].before->verdict, msg::Verdict::kOk);
  EXPECT_EQ(out.changes[0].status.verdict, msg::Verdict::kDown);
  EXPECT_FALSE(out.take_snapshot);
}

TEST_F(CtlFeedView, IgnoresWhatTheSnapshotAlreadyHas) {
  view_.handshake_started(kHello);
  feed(hello(1, 5));
  // Published after the hello and before the snapshot, read after it.
  snapshot({1, {{6, status("a/b", msg::Verdict::kDown)}}});
  const FeedOutputs out = feed(status_message(6, "a/b", msg::Verdict::kDown));
  EXPECT_THAT(out.changes, IsEmpty());
  EXPECT_FALSE(out.take_snapshot);
}

TEST_F(CtlFeedView, AChangeThatOvertakesTheSnapshotWins) {
  view_.handshake_started(kHello);
  feed(hello(1, 5));
  EXPECT_EQ(feed(status_message(6, "a/b", msg::Verdict::kDown)).changes.size(), 1U);
  EXPECT_THAT(snapshot({1, {{5, status("a/b", msg::Verdict::kOk)}}}).changes, IsEmpty());
  EXPECT_EQ(feed(status_message(7, "a/b", msg::Verdict::kOk)).changes[0].before->verdict, msg::Verdict::kDown);
}

TEST_F(CtlFeedView, AGapMakesItReadEverythingAgainAndShowOnlyDifferences) {
  go_live();
  const FeedOutputs gap = feed(status_message(9, "x/y", msg::Verdict::kOk));
  EXPECT_TRUE(gap.take_snapshot);
  EXPECT_THAT(gap.notes, ElementsAre(HasSubstr("3 status message(s) were missed")));
  EXPECT_EQ(gap.changes.size(), 1U) << "what did come is still true";
  const FeedOutputs healed =
      snapshot({1, {{8, status("a/b", msg::Verdict::kDown)}, {9, status("x/y", msg::Verdict::kOk)}}});
  ASSERT_EQ(healed.changes.size(), 1U);
  EXPECT_EQ(healed.changes[0].status.id, "a/b");
  EXPECT_EQ(healed.changes[0].before->verdict, msg::Verdict::kOk);
  EXPECT_EQ(view_.state(), State::kLive);
}

TEST_F(CtlFeedView, ATickTellsOfWhatWasLostAtTheEnd) {
  go_live();
  EXPECT_FALSE(feed(tick(1, 5, 2)).take_snapshot);
  const FeedOutputs out = feed(tick(1, 7, 2));
  EXPECT_TRUE(out.take_snapshot);
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("2 status message(s)")));
  EXPECT_THAT(feed(tick(1, 7, 2)).notes, IsEmpty()) << "said once";
}

TEST_F(CtlFeedView, KindsThatItIsNotSubscribedToHaveNoGaps) {
  go_live();
  const FeedOutputs out = feed(message("manifest/a/b", "manifest", 1, 500, msg::Value::map()));
  EXPECT_FALSE(out.take_snapshot);
  EXPECT_THAT(out.notes, IsEmpty());
}

TEST_F(CtlFeedView, ShowsAlertsOnceAndInOrder) {
  go_live();
  EXPECT_EQ(feed(alert_message(3)).alerts.size(), 1U);
  EXPECT_THAT(feed(alert_message(3)).alerts, IsEmpty());
  const FeedOutputs gap = feed(alert_message(5));
  EXPECT_EQ(gap.alerts.size(), 1U);
  EXPECT_THAT(gap.notes, ElementsAre(HasSubstr("1 alert message(s) were missed")));
}

TEST_F(CtlFeedView, ANewEpochBeginsWithANewHandshake) {
  go_live();
  const FeedOutputs seen = feed(tick(2, 0));
  EXPECT_TRUE(seen.start_handshake);
  EXPECT_EQ(view_.state(), State::kNoHello);
  view_.handshake_started("hello/2");
  FeedMessage again = hello(2, 1);
  again.topic = "hello/2";
  const FeedOutputs out = feed(again);
  EXPECT_TRUE(out.take_snapshot);
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("the broker was restarted (epoch 1 → 2)")));
  // The seqs of the new epoch are small; the old ones may not hide them.
  const FeedOutputs shown = snapshot({2, {{1, status("a/b", msg::Verdict::kUnknown)}}});
  ASSERT_EQ(shown.changes.size(), 1U);
  EXPECT_EQ(shown.changes[0].before->verdict, msg::Verdict::kOk);
  EXPECT_EQ(feed(status_message(2, "a/b", msg::Verdict::kOk, 2)).changes.size(), 1U);
}

TEST_F(CtlFeedView, ItsHelloAgainMeansThatTheConnectionIsNew) {
  go_live();
  const FeedOutputs again = feed(hello(1, 5, 2));
  EXPECT_TRUE(again.start_handshake);
  EXPECT_FALSE(again.take_snapshot);
  EXPECT_EQ(view_.state(), State::kNoHello);
}

TEST_F(CtlFeedView, SaysHowManyAlertsWereMissedWhileAway) {
  go_live();
  view_.handshake_started("hello/2");
  FeedMessage again = hello(1, 8, 6);
  again.topic = "hello/2";
  const FeedOutputs out = feed(again);
  EXPECT_TRUE(out.take_snapshot);
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("4 alert message(s) were missed")));
}

TEST_F(CtlFeedView, ASnapshotOfAnotherEpochIsNotBelieved) {
  view_.handshake_started(kHello);
  feed(hello(1, 0));
  const FeedOutputs out = snapshot({2, {{1, status("a/b", msg::Verdict::kOk)}}});
  EXPECT_THAT(out.changes, IsEmpty());
  EXPECT_TRUE(out.start_handshake);
  EXPECT_EQ(view_.state(), State::kNoHello);
}

TEST_F(CtlFeedView, WhatItCannotReadItSays) {
  go_live();
  EXPECT_THAT(feed(message("status/a/b", "status", 1, 6, msg::Value::map())).notes,
              ElementsAre(HasSubstr("a status could not be understood")));
  EXPECT_THAT(feed(message("alert/x", "alert", 1, 3, msg::Value())).notes,
              ElementsAre(HasSubstr("an alert could not be understood")));
  EXPECT_THAT(feed(message("bus/tick", "bus", 1, 1, msg::Value(7))).notes, IsEmpty());
}

wire::Frames frames(const std::string& topic, const msg::Value& header, bool json) {
  const auto encode = [&](const msg::Value& v) { return json ? msg::encode_json(v) : msg::encode_msgpack(v); };
  return {topic, encode(header), encode(msg::Value::map({{"x", 1}}))};
}

TEST(CtlFeedMessage, ReadsBothEncodings) {
  const msg::Value header =
      msg::Value::map({{"epoch", 3}, {"kind", "status"}, {"seq", 9}, {"time", 77}, {"new", true}});
  for (const bool json : {false, true}) {
    const Result<FeedMessage> m = parse_feed_message(frames(json ? "json/status/a" : "status/a", header, json));
    ASSERT_TRUE(m.has_value()) << m.error().text;
    EXPECT_EQ(m->epoch, 3U);
    EXPECT_EQ(m->kind, "status");
    EXPECT_EQ(m->seq, 9U);
    EXPECT_EQ(m->time.ms, 77);
    EXPECT_EQ(m->header, header);
    EXPECT_EQ(m->payload, msg::Value::map({{"x", 1}}));
  }
}

TEST(CtlFeedMessage, RefusesWhatIsNone) {
  const msg::Value header = msg::Value::map({{"epoch", 3}, {"kind", "status"}, {"seq", 9}, {"time", 77}});
  EXPECT_FALSE(parse_feed_message({}).has_value());
  EXPECT_FALSE(parse_feed_message({"status/a", "x"}).has_value());
  EXPECT_FALSE(parse_feed_message(frames("status/a", header, true)).has_value()) << "JSON without json/";
  EXPECT_FALSE(parse_feed_message(frames("status/a", msg::Value::map({{"epoch", 3}}), false)).has_value());
  wire::Frames cut = frames("status/a", header, false);
  cut[2] = "";
  EXPECT_FALSE(parse_feed_message(cut).has_value());
}

TEST(CtlChooseFeed, TakesTheSameTransportAndOurWayToTheBroker) {
  const std::vector<std::string> both{"ipc:///run/x/feed", "tcp://127.0.0.1:7756"};
  EXPECT_EQ(choose_feed("tcp://127.0.0.1:7755", both), "tcp://127.0.0.1:7756");
  EXPECT_EQ(choose_feed("ipc:///run/x/bus", both), "ipc:///run/x/feed");
  EXPECT_EQ(choose_feed("tcp://10.0.0.5:7755", {"tcp://0.0.0.0:7756"}), "tcp://10.0.0.5:7756");
  EXPECT_EQ(choose_feed("tcp://broker.lan:7755", {"tcp://*:7756"}), "tcp://broker.lan:7756");
  EXPECT_EQ(choose_feed("tcp://[fe80::1]:7755", {"tcp://[::]:7756"}), "tcp://[fe80::1]:7756");
  EXPECT_EQ(choose_feed("tcp://eth0:0;10.0.0.5:7755", {"tcp://0.0.0.0:7756"}), "tcp://10.0.0.5:7756");
}

TEST(CtlChooseFeed, PrefersTheBrokersAddressToEveryAddressToAnother) {
  EXPECT_EQ(choose_feed("tcp://10.0.0.5:7755", {"tcp://127.0.0.1:1", "tcp://0.0.0.0:2", "tcp://10.0.0.5:3"}),
            "tcp://10.0.0.5:3");
  EXPECT_EQ(choose_feed("tcp://10.0.0.5:7755", {"tcp://127.0.0.1:1", "tcp://0.0.0.0:2"}), "tcp://10.0.0.5:2");
  EXPECT_EQ(choose_feed("tcp://localhost:7755", {"tcp://127.0.0.1:1"}), "tcp://127.0.0.1:1");
}

TEST(CtlChooseFeed, SaysWhatThereIsWhenNothingFits) {
  const Result<std::string> none = choose_feed("tcp://127.0.0.1:7755", {"ipc:///run/x/feed"});
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().text, HasSubstr("ipc:///run/x/feed"));
  EXPECT_FALSE(choose_feed("tcp://127.0.0.1:7755", {}).has_value());
}

TEST(CtlSnapshotPage, ReadsAPageAndWhereTheNextBegins) {
  const msg::Value entry = msg::Value::map({{"seq", 4}, {"status", to_value(status("a/b", msg::Verdict::kOk))}});
  const Result<SnapshotPage> page = parse_snapshot_page(
      msg::Value::map({{"epoch", 2}, {"compositors", msg::Value::array({entry})}, {"next", "a/b"}}));
  ASSERT_TRUE(page.has_value()) << page.error().text;
  EXPECT_EQ(page->snapshot.epoch, 2U);
  EXPECT_EQ(page->snapshot.entries[0].seq, 4U);
  EXPECT_EQ(page->next, "a/b");
  EXPECT_FALSE(parse_snapshot_page(msg::Value::map()).has_value());
  EXPECT_FALSE(
      parse_snapshot_page(msg::Value::map({{"epoch", 2}, {"compositors", msg::Value::array({7})}})).has_value());
}

}  // namespace
}  // namespace compositord::ctl
