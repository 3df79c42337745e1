// MDP 0.1 and 0.2 as frames. The ordinary messages and the list of malformed ones are golden vectors (vectors_test.cpp).

#include "common/wire/mdp_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace compositord::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(MdpCodec, AcceptsAnEmptyDelimiterWith02) {
  const auto parsed = parse_at_broker({"", "MDPC02", "\x01", "echo", "hi"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->dialect, (Dialect{MdpVersion::k02, true}));
  const auto& request = std::get<mdp::ClientRequest>(parsed->message);
  EXPECT_EQ(request.service, "echo");
  EXPECT_THAT(request.body, ElementsAre("hi"));
  // … and the answer in the same dialect has it too.
  EXPECT_THAT(serialize(parsed->dialect, mdp::ClientReply{true, "echo", {"hi"}}),
              ElementsAre("", "MDPC02", "\x03", "echo", "hi"));
}

TEST(MdpCodec, AcceptsNoDelimiterWith01) {
  const auto parsed = parse_at_broker({"MDPC01", "echo", "hi"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->dialect, (Dialect{MdpVersion::k01, false}));
  EXPECT_THAT(serialize(parsed->dialect, mdp::ClientReply{true, "echo", {"hi"}}), ElementsAre("MDPC01", "echo", "hi"));
}

TEST(MdpCodec, IgnoresFramesAfterAHeartbeat) {
  for (const Frames& frames :
       {Frames{"MDPW02", "\x05", "alive", "and", "verbose"}, Frames{"", "MDPW01", "\x04", "x"}}) {
    const auto parsed = parse_at_broker(Frames(frames));
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_TRUE(std::holds_alternative<mdp::Heartbeat>(parsed->message));
  }
}

TEST(MdpCodec, IgnoresFramesAfterADisconnect) {
  const auto parsed = parse_at_broker({"MDPW02", "\x06", "because"});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_TRUE(std::holds_alternative<mdp::Disconnect>(parsed->message));
}

TEST(MdpCodec, ReadsTheByte04AsHeartbeatIn01AndAsFinalIn02) {
  const auto old = parse_at_broker({"", "MDPW01", "\x04"});
  ASSERT_TRUE(old);
  EXPECT_EQ(command_name(old->message), "HEARTBEAT");
  const auto now = parse_at_broker({"MDPW02", "\x04", "a", "", "x"});
  ASSERT_TRUE(now);
  EXPECT_EQ(command_name(now->message), "FINAL");
}

TEST(MdpCodec, TakesServicesOfAnyBytesUpToTheMaximum) {
  const std::string longest(kServiceNameBytesMax, '\xff');
  const auto parsed = parse_at_broker({"MDPW02", "\x01", longest});
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(std::get<mdp::WorkerReady>(parsed->message).service, longest);
  const auto longer = parse_at_broker({"MDPW02", "\x01", longest + "x"});
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().status, Status::kTooLarge);
}

TEST(MdpCodec, KeepsEmptyFramesOfABody) {
  const auto parsed = parse_at_broker({"MDPW02", "\x04", "a", "", "", "", "x", ""});
  ASSERT_TRUE(parsed);
  EXPECT_THAT(std::get<mdp::WorkerReply>(parsed->message).body, ElementsAre("", "", "x", ""));
}

TEST(MdpCodec, EscapesAPeersBytesInItsErrors) {
  const auto parsed = parse_at_broker({"\x1b[2J\nMDPC02"});
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().text, HasSubstr("\\x1b[2J\\x0a"));
}

// Every way to end a message early, and every byte changed to every other: a value or an error, never anything else, and
// what was understood is written again as it came.
TEST(MdpCodec, SurvivesEveryOneByteChangeOfTheHeadFrames) {
  const Frames whole{"", "MDPW02", "\x04", "address", "", "body"};
  int understood = 0;
  for (std::size_t frame = 0; frame < 4; ++frame) {
    for (std::size_t at = 0; at < whole[frame].size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        Frames frames = whole;
        std::string changed = whole[frame].str();
        changed[at] = static_cast<char>(byte);
        frames[frame] = changed;
        const Frames sent = frames;
        const auto parsed = parse_at_broker(std::move(frames));
        if (!parsed) continue;
        ++understood;
        if (const auto* reply = std::get_if<mdp::WorkerReply>(&parsed->message)) {
          EXPECT_EQ(serialize(parsed->dialect, *reply), sent);
        }
      }
    }
  }
  EXPECT_GT(understood, 7 * 256);  // all changes of the address, and some of the others
}

TEST(MdpCodec, SurvivesEveryCut) {
  const Frames whole{"", "MDPW02", "\x04", "address", "", "body"};
  for (std::size_t size = 0; size < 5; ++size) {
    const Frames cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(parse_at_broker(Frames(cut))) << size;
    EXPECT_FALSE(parse_from_broker(Frames(cut))) << size;
  }
  EXPECT_TRUE(parse_at_broker(Frames(whole.begin(), whole.begin() + 5)));  // an empty body is a body
}

TEST(MdpCodecDeathTest, RefusesToWriteAPartialIn01) {
  const Dialect old{MdpVersion::k01, true};
  EXPECT_DEATH(serialize(old, mdp::ClientReply{false, "echo", {}}), "");
  EXPECT_DEATH(serialize(old, mdp::WorkerReply{false, "a", {}}), "");
}

}  // namespace
}  // namespace compositord::wire
