// The feed's messages, the choice of its endpoint, and the view that a subscriber has: every transition of feed_view.h.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/feed/feed_endpoint.h"
#include "common/feed/feed_message.h"
#include "common/feed/feed_view.h"

namespace compositord::feed {
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
msg::Alert alert(const std::string& name, std::uint64_t change, msg::AlertState state = msg::AlertState::kFiring) {
  msg::Alert a;
  a.alert = name;
  a.id = "a/b";
  a.change = change;
  a.state = state;
  return a;
}
FeedMessage alert_message(std::uint64_t seq, const msg::Alert& a, std::uint64_t epoch = 1) {
  return message("alert/critical/a/b", "alert", epoch, seq, to_value(a));
}
// One that was made when so much had been published.
Snapshot tables(std::uint64_t epoch, std::uint64_t status_seq, std::vector<Snapshot::Entry> statuses,
                std::uint64_t alert_seq = 0, std::vector<msg::Alert> alerts = {}) {
  return {epoch, {{"status", status_seq}, {"alert", alert_seq}}, std::move(statuses), std::move(alerts)};
}
Seqs numbers(std::uint64_t status_seq, std::uint64_t alert_seq) {
  return {{"status", status_seq}, {"alert", alert_seq}};
}

class ViewOfTheFeed : public testing::Test {
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
    snapshot(tables(1, 5, {{5, status("a/b", msg::Verdict::kOk)}}, 2));
    ASSERT_EQ(view_.state(), State::kLive);
  }
  FeedView view_{{"status", "alert"}};
};

TEST_F(ViewOfTheFeed, BelievesNothingBeforeItsHello) {
  view_.handshake_started(kHello);
  EXPECT_THAT(feed(status_message(1, "a/b", msg::Verdict::kOk)).changes, IsEmpty());
  EXPECT_THAT(feed(message("hello/2", "hello", 1, 1, seqs(0, 0))).changes, IsEmpty());
  EXPECT_EQ(view_.state(), State::kNoHello);
}

TEST_F(ViewOfTheFeed, BelievesNothingBeforeItsNextHello) {
  go_live();
  view_.handshake_started("hello/2");
  const FeedOutputs out = feed(status_message(6, "a/b", msg::Verdict::kDown));
  EXPECT_THAT(out.changes, IsEmpty());
  EXPECT_FALSE(out.take_snapshot);
  EXPECT_FALSE(feed(tick(2, 0)).start_handshake) << "the handshake is under way";
}

TEST_F(ViewOfTheFeed, TakesASnapshotAfterItsHelloAndShowsIt) {
  view_.handshake_started(kHello);
  const FeedOutputs asked = feed(hello(1, 5));
  EXPECT_TRUE(asked.take_snapshot);
  EXPECT_THAT(asked.notes, IsEmpty());
  const FeedOutputs shown =
      snapshot(tables(1, 5, {{5, status("a/b", msg::Verdict::kOk)}, {0, status("c/d", msg::Verdict::kUnknown)}}));
  ASSERT_EQ(shown.changes.size(), 2U);
  EXPECT_TRUE(shown.changes[0].from_snapshot);
  EXPECT_FALSE(shown.changes[0].before.has_value());
  EXPECT_EQ(view_.state(), State::kLive);
}

TEST_F(ViewOfTheFeed, ShowsALiveChangeWithWhatWasBefore) {
  go_live();
  const FeedOutputs out = feed(status_message(6, "a/b", msg::Verdict::kDown));
  ASSERT_EQ(out.changes.size(), 1U);
  EXPECT_EQ(out.changes[0].before->verdict, msg::Verdict::kOk);
  EXPECT_EQ(out.changes[0].status.verdict, msg::Verdict::kDown);
  EXPECT_FALSE(out.take_snapshot);
}

TEST_F(ViewOfTheFeed, IgnoresWhatTheSnapshotAlreadyHas) {
  view_.handshake_started(kHello);
  feed(hello(1, 5));
  // Published after the hello and before the snapshot, read after it.
  snapshot(tables(1, 6, {{6, status("a/b", msg::Verdict::kDown)}}));
  const FeedOutputs out = feed(status_message(6, "a/b", msg::Verdict::kDown));
  EXPECT_THAT(out.changes, IsEmpty());
  EXPECT_FALSE(out.take_snapshot);
}

TEST_F(ViewOfTheFeed, AChangeThatOvertakesTheSnapshotWins) {
  view_.handshake_started(kHello);
  feed(hello(1, 5));
  EXPECT_EQ(feed(status_message(6, "a/b", msg::Verdict::kDown)).changes.size(), 1U);
  EXPECT_THAT(snapshot(tables(1, 5, {{5, status("a/b", msg::Verdict::kOk)}})).changes, IsEmpty());
  EXPECT_EQ(feed(status_message(7, "a/b", msg::Verdict::kOk)).changes[0].before->verdict, msg::Verdict::kDown);
}

TEST_F(ViewOfTheFeed, AGapMakesItReadEverythingAgainAndShowOnlyDifferences) {
  go_live();
  const FeedOutputs gap = feed(status_message(9, "x/y", msg::Verdict::kOk));
  EXPECT_TRUE(gap.take_snapshot);
  EXPECT_THAT(gap.notes, ElementsAre(HasSubstr("3 status message(s) were missed")));
  EXPECT_EQ(gap.changes.size(), 1U) << "what did come is still true";
  const FeedOutputs healed =
      snapshot(tables(1, 9, {{8, status("a/b", msg::Verdict::kDown)}, {9, status("x/y", msg::Verdict::kOk)}}, 2));
  ASSERT_EQ(healed.changes.size(), 1U);
  EXPECT_EQ(healed.changes[0].status.id, "a/b");
  EXPECT_EQ(healed.changes[0].before->verdict, msg::Verdict::kOk);
  EXPECT_EQ(view_.state(), State::kLive);
}

TEST_F(ViewOfTheFeed, ATickTellsOfWhatWasLostAtTheEnd) {
  go_live();
  EXPECT_FALSE(feed(tick(1, 5, 2)).take_snapshot);
  const FeedOutputs out = feed(tick(1, 7, 2));
  EXPECT_TRUE(out.take_snapshot);
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("2 status message(s)")));
  EXPECT_THAT(feed(tick(1, 7, 2)).notes, IsEmpty()) << "said once";
}

TEST_F(ViewOfTheFeed, KindsThatItIsNotSubscribedToHaveNoGaps) {
  go_live();
  const FeedOutputs out = feed(message("manifest/a/b", "manifest", 1, 500, msg::Value::map()));
  EXPECT_FALSE(out.take_snapshot);
  EXPECT_THAT(out.notes, IsEmpty());
}

TEST_F(ViewOfTheFeed, ShowsEachChangeOfAnAlertOnce) {
  go_live();
  EXPECT_EQ(feed(alert_message(3, alert("x", 1))).alerts.size(), 1U);
  EXPECT_THAT(feed(alert_message(3, alert("x", 1))).alerts, IsEmpty()) << "the same message";
  EXPECT_THAT(feed(alert_message(4, alert("x", 1))).alerts, IsEmpty()) << "a repetition";
  EXPECT_EQ(feed(alert_message(5, alert("x", 2))).alerts.size(), 1U);
  EXPECT_EQ(view_.alerts().at("x").alert.change, 2U);
  EXPECT_EQ(feed(alert_message(6, alert("x", 3, msg::AlertState::kResolved))).alerts.size(), 1U);
  EXPECT_THAT(view_.alerts(), IsEmpty());
}

TEST_F(ViewOfTheFeed, AGapOfAlertsIsHealedByWhatFires) {
  go_live();
  feed(alert_message(3, alert("x", 1)));
  feed(alert_message(4, alert("y", 1)));
  const FeedOutputs gap = feed(alert_message(8, alert("z", 1)));
  EXPECT_TRUE(gap.take_snapshot);
  EXPECT_THAT(gap.notes, ElementsAre(HasSubstr("3 alert message(s) were missed")));
  // x changed, y ended, w began; z is known.
  const FeedOutputs healed = snapshot(tables(1, 5, {}, 8, {alert("w", 1), alert("x", 2), alert("z", 1)}));
  ASSERT_EQ(healed.alerts.size(), 2U);
  EXPECT_EQ(healed.alerts[0].alert.alert, "w");
  EXPECT_EQ(healed.alerts[1].alert.change, 2U);
  EXPECT_TRUE(healed.alerts[1].from_snapshot);
  ASSERT_EQ(healed.ended.size(), 1U);
  EXPECT_EQ(healed.ended[0].alert, "y");
  EXPECT_EQ(view_.alerts().size(), 3U);
}

TEST_F(ViewOfTheFeed, ASnapshotBringsNoEndedAlertBackAndLosesNoNewOne) {
  view_.handshake_started(kHello);
  feed(hello(1, 0, 2));
  // Both happen after the snapshot was made, and are read before it.
  feed(alert_message(3, alert("old", 2, msg::AlertState::kResolved)));
  feed(alert_message(4, alert("new", 1)));
  snapshot(tables(1, 0, {}, 2, {alert("old", 1)}));
  EXPECT_EQ(view_.state(), State::kLive);
  ASSERT_EQ(view_.alerts().size(), 1U);
  EXPECT_TRUE(view_.alerts().contains("new"));
}

TEST_F(ViewOfTheFeed, ASnapshotFromBeforeAGapIsNotBelieved) {
  view_.handshake_started(kHello);
  feed(hello(1, 5));
  EXPECT_TRUE(feed(status_message(9, "x/y", msg::Verdict::kOk)).take_snapshot) << "6 to 8 were missed meanwhile";
  const FeedOutputs old = snapshot(tables(1, 7, {{5, status("a/b", msg::Verdict::kOk)}}));
  EXPECT_TRUE(old.take_snapshot);
  EXPECT_THAT(old.changes, IsEmpty());
  EXPECT_EQ(view_.state(), State::kNoSnapshot);
  snapshot(tables(1, 9, {{8, status("a/b", msg::Verdict::kDown)}, {9, status("x/y", msg::Verdict::kOk)}}));
  EXPECT_EQ(view_.state(), State::kLive);
  EXPECT_EQ(view_.statuses().at("a/b").status.verdict, msg::Verdict::kDown);
}

TEST_F(ViewOfTheFeed, ASnapshotFromBeforeTheLastLiveMessageIsNotBelieved) {
  go_live();
  feed(alert_message(3, alert("x", 1)));
  feed(alert_message(4, alert("x", 2, msg::AlertState::kResolved)));
  feed(status_message(9, "a/b", msg::Verdict::kDown));
  // Of the statuses it has all, but x would fire again for ever.
  EXPECT_TRUE(snapshot(tables(1, 9, {}, 3, {alert("x", 1)})).take_snapshot);
  EXPECT_THAT(view_.alerts(), IsEmpty());
}

TEST_F(ViewOfTheFeed, ARestartDuringTheSnapshotBeginsAgain) {
  view_.handshake_started(kHello);
  feed(hello(1, 5));
  EXPECT_TRUE(feed(tick(2, 0)).start_handshake);
  view_.handshake_started("hello/2");
  EXPECT_THAT(snapshot(tables(1, 5, {{5, status("a/b", msg::Verdict::kOk)}})).changes, IsEmpty()) << "of the old one";
  FeedMessage again = hello(2, 0);
  again.topic = "hello/2";
  feed(again);
  snapshot(tables(2, 0, {{0, status("a/b", msg::Verdict::kUnknown)}}));
  EXPECT_EQ(view_.state(), State::kLive);
  EXPECT_EQ(view_.epoch(), 2U);
}

TEST_F(ViewOfTheFeed, WhatComesTwiceOrLateChangesNothing) {
  go_live();
  feed(status_message(6, "a/b", msg::Verdict::kDown));
  for (const std::uint64_t seq : {6U, 5U, 1U, 0U}) {
    const FeedOutputs out = feed(status_message(seq, "a/b", msg::Verdict::kOk));
    EXPECT_THAT(out.changes, IsEmpty());
    EXPECT_FALSE(out.take_snapshot);
  }
  EXPECT_FALSE(feed(tick(1, 3, 1)).take_snapshot) << "a tick from before";
  EXPECT_EQ(view_.statuses().at("a/b").status.verdict, msg::Verdict::kDown);
}

TEST_F(ViewOfTheFeed, ForgetsWhatTheBrokerHasForgotten) {
  go_live();
  feed(status_message(6, "c/d", msg::Verdict::kOk));
  feed(status_message(8, "x/y", msg::Verdict::kOk));
  // Made before x/y registered: it is not in it, and not gone.
  const FeedOutputs out = snapshot(tables(1, 7, {{6, status("c/d", msg::Verdict::kOk)}}, 2));
  EXPECT_THAT(out.forgotten, ElementsAre("a/b"));
  EXPECT_EQ(view_.statuses().size(), 2U);
}

FeedMessage at(std::int64_t ms, FeedMessage m) {
  m.time = UnixMs{ms};
  return m;
}

TEST_F(ViewOfTheFeed, SaysUpToWhereItIsComplete) {
  EXPECT_FALSE(view_.completeness().complete);
  EXPECT_EQ(view_.completeness().epoch, 0U);
  view_.handshake_started(kHello);
  feed(at(1'000, hello(1, 5, 2)));
  EXPECT_FALSE(view_.completeness().complete);
  snapshot(tables(1, 5, {{5, status("a/b", msg::Verdict::kOk)}}, 2));
  EXPECT_TRUE(view_.completeness().complete);
  EXPECT_EQ(view_.completeness().up_to.ms, 1'000);
  feed(at(1'500, status_message(6, "a/b", msg::Verdict::kDown)));
  feed(at(2'000, tick(1, 6, 2)));
  EXPECT_EQ(view_.completeness().up_to.ms, 2'000);
  EXPECT_EQ(view_.completeness().seqs, numbers(6, 2));
  feed(at(3'000, tick(1, 7, 2)));  // one was lost
  EXPECT_FALSE(view_.completeness().complete);
  EXPECT_EQ(view_.completeness().up_to.ms, 2'000) << "since then it is not";
  snapshot(tables(1, 7, {{7, status("a/b", msg::Verdict::kOk)}}, 2));
  EXPECT_TRUE(view_.completeness().complete);
  EXPECT_EQ(view_.completeness().up_to.ms, 3'000);
  EXPECT_EQ(view_.completeness().seqs, numbers(7, 2));
  view_.handshake_started("hello/2");
  EXPECT_FALSE(view_.completeness().complete);
  EXPECT_EQ(view_.completeness().epoch, 1U);
}

TEST_F(ViewOfTheFeed, WhatItCannotReadOrKeepIsMissing) {
  FeedView small({"status", "alert"}, {1, 1});
  FeedOutputs out;
  small.handshake_started(kHello);
  small.on_message(hello(1, 0), out);
  small.on_snapshot(tables(1, 0, {{0, status("a/b", msg::Verdict::kOk)}}), out);
  EXPECT_TRUE(small.completeness().complete);
  small.on_message(status_message(1, "c/d", msg::Verdict::kOk), out);
  EXPECT_EQ(small.statuses().size(), 1U);
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("there are too many")));
  EXPECT_FALSE(small.completeness().complete);
  small.on_message(tick(1, 1), out);
  EXPECT_FALSE(small.completeness().complete) << "and no tick makes up for it";
  small.on_message(alert_message(1, alert("x", 1)), out);
  small.on_message(alert_message(2, alert("y", 1)), out);
  EXPECT_EQ(small.alerts().size(), 1U);
}

TEST_F(ViewOfTheFeed, ANewEpochBeginsWithANewHandshake) {
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
  const FeedOutputs shown = snapshot(tables(2, 1, {{1, status("a/b", msg::Verdict::kUnknown)}}));
  ASSERT_EQ(shown.changes.size(), 1U);
  EXPECT_EQ(shown.changes[0].before->verdict, msg::Verdict::kOk);
  EXPECT_EQ(feed(status_message(2, "a/b", msg::Verdict::kOk, 2)).changes.size(), 1U);
}

TEST_F(ViewOfTheFeed, SeqsThatWentBackAreANewEpochToo) {
  go_live();
  view_.handshake_started("hello/2");
  FeedMessage again = hello(1, 1, 0);
  again.topic = "hello/2";
  EXPECT_THAT(feed(again).notes, ElementsAre(HasSubstr("was restarted")));
  const FeedOutputs shown = snapshot(tables(1, 1, {{1, status("c/d", msg::Verdict::kOk)}}));
  EXPECT_THAT(shown.forgotten, ElementsAre("a/b"));
  EXPECT_EQ(view_.statuses().size(), 1U);
}

TEST_F(ViewOfTheFeed, ItsHelloAgainMeansThatTheConnectionIsNew) {
  go_live();
  const FeedOutputs again = feed(hello(1, 5, 2));
  EXPECT_TRUE(again.start_handshake);
  EXPECT_FALSE(again.take_snapshot);
  EXPECT_EQ(view_.state(), State::kNoHello);
}

TEST_F(ViewOfTheFeed, SaysHowManyAlertsWereMissedWhileAway) {
  go_live();
  view_.handshake_started("hello/2");
  FeedMessage again = hello(1, 8, 6);
  again.topic = "hello/2";
  const FeedOutputs out = feed(again);
  EXPECT_TRUE(out.take_snapshot);
  EXPECT_THAT(out.notes, ElementsAre(HasSubstr("4 alert message(s) were missed")));
}

TEST_F(ViewOfTheFeed, ASnapshotOfAnotherEpochIsNotBelieved) {
  view_.handshake_started(kHello);
  feed(hello(1, 0));
  const FeedOutputs out = snapshot(tables(2, 1, {{1, status("a/b", msg::Verdict::kOk)}}));
  EXPECT_THAT(out.changes, IsEmpty());
  EXPECT_TRUE(out.start_handshake);
  EXPECT_EQ(view_.state(), State::kNoHello);
}

TEST_F(ViewOfTheFeed, WhatItCannotReadItSays) {
  go_live();
  EXPECT_THAT(feed(message("status/a/b", "status", 1, 6, msg::Value::map())).notes,
              ElementsAre(HasSubstr("a status could not be understood")));
  EXPECT_FALSE(view_.completeness().complete);
  EXPECT_THAT(feed(message("alert/x", "alert", 1, 3, msg::Value())).notes,
              ElementsAre(HasSubstr("an alert could not be understood")));
  EXPECT_THAT(feed(message("bus/tick", "bus", 1, 1, msg::Value(7))).notes, IsEmpty());
}

wire::Frames frames(const std::string& topic, const msg::Value& header, bool json) {
  const auto encode = [&](const msg::Value& v) { return json ? msg::encode_json(v) : msg::encode_msgpack(v); };
  return {topic, encode(header), encode(msg::Value::map({{"x", 1}}))};
}

TEST(MessageOfTheFeed, ReadsBothEncodings) {
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

TEST(MessageOfTheFeed, RefusesWhatIsNone) {
  const msg::Value header = msg::Value::map({{"epoch", 3}, {"kind", "status"}, {"seq", 9}, {"time", 77}});
  EXPECT_FALSE(parse_feed_message({}).has_value());
  EXPECT_FALSE(parse_feed_message({"status/a", "x"}).has_value());
  EXPECT_FALSE(parse_feed_message(frames("status/a", header, true)).has_value()) << "JSON without json/";
  EXPECT_FALSE(parse_feed_message(frames("status/a", msg::Value::map({{"epoch", 3}}), false)).has_value());
  wire::Frames cut = frames("status/a", header, false);
  cut[2] = "";
  EXPECT_FALSE(parse_feed_message(cut).has_value());
}

TEST(ChooseFeed, TakesTheSameTransportAndOurWayToTheBroker) {
  const std::vector<std::string> both{"ipc:///run/x/feed", "tcp://127.0.0.1:7756"};
  EXPECT_EQ(choose_feed("tcp://127.0.0.1:7755", both), "tcp://127.0.0.1:7756");
  EXPECT_EQ(choose_feed("ipc:///run/x/bus", both), "ipc:///run/x/feed");
  EXPECT_EQ(choose_feed("tcp://10.0.0.5:7755", {"tcp://0.0.0.0:7756"}), "tcp://10.0.0.5:7756");
  EXPECT_EQ(choose_feed("tcp://broker.lan:7755", {"tcp://*:7756"}), "tcp://broker.lan:7756");
  EXPECT_EQ(choose_feed("tcp://[fe80::1]:7755", {"tcp://[::]:7756"}), "tcp://[fe80::1]:7756");
  EXPECT_EQ(choose_feed("tcp://eth0:0;10.0.0.5:7755", {"tcp://0.0.0.0:7756"}), "tcp://10.0.0.5:7756");
}

TEST(ChooseFeed, PrefersTheBrokersAddressToEveryAddressToAnother) {
  EXPECT_EQ(choose_feed("tcp://10.0.0.5:7755", {"tcp://127.0.0.1:1", "tcp://0.0.0.0:2", "tcp://10.0.0.5:3"}),
            "tcp://10.0.0.5:3");
  EXPECT_EQ(choose_feed("tcp://10.0.0.5:7755", {"tcp://127.0.0.1:1", "tcp://0.0.0.0:2"}), "tcp://10.0.0.5:2");
  EXPECT_EQ(choose_feed("tcp://localhost:7755", {"tcp://127.0.0.1:1"}), "tcp://127.0.0.1:1");
}

TEST(ChooseFeed, SaysWhatThereIsWhenNothingFits) {
  const Result<std::string> none = choose_feed("tcp://127.0.0.1:7755", {"ipc:///run/x/feed"});
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().text, HasSubstr("ipc:///run/x/feed"));
  EXPECT_FALSE(choose_feed("tcp://127.0.0.1:7755", {}).has_value());
}

TEST(MessageOfTheFeed, HostileBytesAreRefused) {
  const msg::Value header = msg::Value::map({{"epoch", 3}, {"kind", "status"}, {"seq", 9}, {"time", 77}});
  const wire::Frames whole = frames("status/a", header, false);
  for (std::size_t cut = 0; cut < whole[1].size(); ++cut) {
    EXPECT_FALSE(parse_feed_message({"status/a", whole[1].str().substr(0, cut), whole[2]}).has_value()) << cut;
  }
  for (const char* bytes : {"\xc1", "\xdd\xff\xff\xff\xff", "\x81\x01\x01", "\xa5"}) {
    EXPECT_FALSE(parse_feed_message({"status/a", bytes, bytes}).has_value());
  }
  const msg::Value negative = msg::Value::map({{"epoch", -3}, {"kind", "status"}, {"seq", -9}, {"time", 77}});
  EXPECT_FALSE(parse_feed_message(frames("status/a", negative, false)).has_value());
}

TEST(SnapshotPages, AreReadUntilTheLast) {
  const msg::Value entry = msg::Value::map({{"seq", 4}, {"status", to_value(status("a/b", msg::Verdict::kOk))}});
  msg::Value page = msg::Value::map({{"epoch", 2},
                                     {"seqs", msg::Value::map({{"status", 4}, {"alert", 1}})},
                                     {"compositors", msg::Value::array({entry})},
                                     {"next", "a/b"}});
  Snapshot snapshot;
  const auto next = add_status_page(page, snapshot);
  ASSERT_TRUE(next.has_value()) << next.error().text;
  EXPECT_EQ(*next, "a/b");
  EXPECT_EQ(snapshot.epoch, 2U);
  EXPECT_EQ(snapshot.statuses[0].seq, 4U);
  page.set("seqs", msg::Value::map({{"status", 9}}));
  page.set("next", msg::Value());
  EXPECT_FALSE((*add_status_page(page, snapshot)).has_value());
  const msg::Value alerts = msg::Value::map({{"epoch", 2}, {"alerts", msg::Value::array({to_value(alert("x", 1))})}});
  EXPECT_TRUE(add_alert_page(alerts, snapshot).has_value());
  EXPECT_EQ(snapshot.alerts.size(), 1U);
  EXPECT_EQ(snapshot.seqs, numbers(4, 1)) << "of the first page";
}

TEST(SnapshotPages, OfTwoEpochsAreNone) {
  Snapshot snapshot;
  const auto page = [](int epoch) { return msg::Value::map({{"epoch", epoch}, {"compositors", msg::Value::array()}}); };
  ASSERT_TRUE(add_status_page(page(2), snapshot).has_value());
  EXPECT_EQ(add_status_page(page(3), snapshot).error().status, Status::kConflict);
}

TEST(SnapshotPages, RefuseWhatIsNone) {
  Snapshot snapshot;
  const auto of = [](msg::Value epoch, msg::Value list) {
    return msg::Value::map({{"epoch", epoch}, {"compositors", list}, {"alerts", list}});
  };
  for (const msg::Value& bad :
       {msg::Value(), msg::Value(7), msg::Value::map(), of(-1, msg::Value::array()), of(2, 7),
        of(2, msg::Value::array({7})), of(2, msg::Value::array({msg::Value::map({{"seq", -1}, {"status", 1}})}))}) {
    EXPECT_FALSE(add_status_page(bad, snapshot).has_value());
  }
  EXPECT_FALSE(add_alert_page(of(2, msg::Value::array({7})), snapshot).has_value());
}

}  // namespace
}  // namespace compositord::feed
