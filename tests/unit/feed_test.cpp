// The feed: numbering, the JSON twins, and the answer to a subscription of hello/.

#include "broker/core/feed.h"

#include <gtest/gtest.h>

namespace compositord::broker {
namespace {

using namespace std::string_literals;

class FeedTest : public testing::Test {
 protected:
  std::vector<std::string> topics() const {
    std::vector<std::string> all;
    for (const wire::Frames& frames : out_.publishes) all.push_back(frames.at(0).str());
    return all;
  }
  msg::Value header(std::size_t index) const { return msg::decode_msgpack(out_.publishes.at(index).at(1)).value(); }
  void publish(FeedKind kind, std::string_view rest) { feed_.publish(kind, rest, msg::Value::map(), UnixMs{5}, out_); }
  using Topics = std::vector<std::string>;

  Limits limits_;
  Counters counters_;
  Feed feed_{3, limits_, counters_};
  Outputs out_;
};

TEST_F(FeedTest, EveryKindHasItsOwnSeqWithoutGaps) {
  publish(FeedKind::kStatus, "a/0");
  publish(FeedKind::kAlert, "warning/a/0");
  publish(FeedKind::kStatus, "b/0");
  EXPECT_EQ(topics(), (Topics{"status/a/0", "alert/warning/a/0", "status/b/0"}));
  EXPECT_EQ(header(0), msg::Value::map({{"epoch", 3}, {"kind", "status"}, {"seq", 1}, {"time", 5}}));
  EXPECT_EQ(header(1), msg::Value::map({{"epoch", 3}, {"kind", "alert"}, {"seq", 1}, {"time", 5}}));
  EXPECT_EQ(header(2), msg::Value::map({{"epoch", 3}, {"kind", "status"}, {"seq", 2}, {"time", 5}}));
}

TEST_F(FeedTest, JsonTwinsAreMadeWhileSomebodyIsSubscribedBelowJson) {
  publish(FeedKind::kStatus, "a/0");
  ASSERT_TRUE(feed_.on_received({"\x01json/status/"}, UnixMs{}, out_));
  publish(FeedKind::kStatus, "a/0");
  ASSERT_TRUE(feed_.on_received({"\0json/status/"s}, UnixMs{}, out_));
  publish(FeedKind::kStatus, "a/0");
  EXPECT_EQ(topics(), (Topics{"status/a/0", "status/a/0", "json/status/a/0", "status/a/0"}));
  EXPECT_EQ(out_.publishes[2][1], R"({"epoch":3,"kind":"status","seq":2,"time":5})");
  EXPECT_EQ(out_.publishes[2][2], "{}");
  EXPECT_EQ(counters_.feed_published, 4U);
}

TEST_F(FeedTest, ASubscriptionOfHelloIsAnsweredOnItsOwnTopic) {
  ASSERT_TRUE(feed_.on_received({"\x01hello/42"}, UnixMs{5}, out_));
  ASSERT_TRUE(feed_.on_received({"\x01json/hello/x"}, UnixMs{5}, out_));
  ASSERT_TRUE(feed_.on_received({"\x01status/"}, UnixMs{5}, out_));
  ASSERT_TRUE(feed_.on_received({"\0hello/42"s}, UnixMs{5}, out_));
  EXPECT_EQ(topics(), (Topics{"hello/42", "json/hello/x"}));
  const msg::Value payload = msg::decode_msgpack(out_.publishes[0][2]).value();
  EXPECT_EQ(*payload.find("epoch"), msg::Value(3));
  EXPECT_EQ(*payload.find("seqs"),
            msg::decode_json(R"({"status":0,"output":0,"manifest":0,"alert":0,"bus":0,"hello":1})").value());
}

TEST_F(FeedTest, AHelloTopicIsBounded) {
  ASSERT_TRUE(feed_.on_received({"\x01hello/" + std::string(58, 'x')}, UnixMs{}, out_));
  ASSERT_TRUE(feed_.on_received({"\x01hello/" + std::string(59, 'x')}, UnixMs{}, out_));
  EXPECT_EQ(out_.publishes.size(), 1U);
}

TEST_F(FeedTest, WhatIsNoSubscriptionIsRefused) {
  EXPECT_FALSE(feed_.on_received({}, UnixMs{}, out_));
  EXPECT_FALSE(feed_.on_received({""}, UnixMs{}, out_));
  EXPECT_FALSE(feed_.on_received({"\x02hello/"}, UnixMs{}, out_));
  EXPECT_FALSE(feed_.on_received({"hello/"}, UnixMs{}, out_));
  EXPECT_FALSE(feed_.on_received({"\x01hello/", "x"}, UnixMs{}, out_));
  EXPECT_TRUE(out_.publishes.empty());
}

TEST_F(FeedTest, ManyJsonPrefixesDoNotGrowWithoutBound) {
  limits_.feed_prefixes_max = 1;
  Feed feed(3, limits_, counters_);
  ASSERT_TRUE(feed.on_received({"\x01json/a"}, UnixMs{}, out_));
  ASSERT_TRUE(feed.on_received({"\x01json/b"}, UnixMs{}, out_));  // not remembered
  ASSERT_TRUE(feed.on_received({"\0json/a"s}, UnixMs{}, out_));
  feed.publish(FeedKind::kStatus, "a/0", msg::Value::map(), UnixMs{}, out_);
  EXPECT_EQ(topics(), Topics{"status/a/0"});
}

}  // namespace
}  // namespace compositord::broker
