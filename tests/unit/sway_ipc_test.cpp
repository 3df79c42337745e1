// sway's IPC: its frames, its answers, its connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <vector>

#include "agent/sway/ipc_codec.h"
#include "agent/sway/ipc_connection.h"
#include "agent/sway/ipc_model.h"
#include "agent/sway/ipc_subscription.h"
#include "common/base/random.h"

namespace compositord::agent::sway {
namespace {

using ::testing::HasSubstr;

std::string header(std::uint32_t length, std::uint32_t type) {
  std::string bytes = "i3-ipc";
  for (const std::uint32_t number : {length, type}) {
    for (unsigned shift = 0; shift < 32; shift += 8) bytes += static_cast<char>((number >> shift) & 0xffU);
  }
  return bytes;
}

TEST(IpcCodec, WritesTheHeaderLittleEndian) {
  using std::string_literals::operator""s;
  EXPECT_EQ(serialize_ipc(IpcType::kGetInputs, "abc"), "i3-ipc\x03\0\0\0\x64\0\0\0abc"s);
  EXPECT_EQ(serialize_ipc(IpcType::kRunCommand, ""), "i3-ipc\0\0\0\0\0\0\0\0"s);
}

TEST(IpcCodec, WaitsForEveryMissingByte) {
  const std::string bytes = serialize_ipc(IpcType::kGetOutputs, "[]");
  IpcParser parser;
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    parser.append(bytes.substr(i, 1));
    const auto none = parser.next();
    ASSERT_TRUE(none) << i;
    EXPECT_FALSE(*none) << i;
  }
  parser.append(bytes.substr(bytes.size() - 1));
  const auto message = parser.next();
  ASSERT_TRUE(message);
  ASSERT_TRUE(*message);
  EXPECT_EQ((*message)->type, 3U);
  EXPECT_EQ((*message)->payload, "[]");
}

TEST(IpcCodec, CutsSeveralMessagesFromOneRead) {
  IpcParser parser;
  parser.append(header(1, 3) + "a" + header(0, kIpcEventBit | 21U) + header(2, 7) + "bc" + header(9, 0));
  EXPECT_EQ((*parser.next())->payload, "a");
  EXPECT_TRUE((*parser.next())->is_event());
  EXPECT_EQ((*parser.next())->payload, "bc");
  EXPECT_FALSE(*parser.next());
}

TEST(IpcCodec, RefusesWhatIsNoIpcAtItsFirstWrongByte) {
  for (const std::string bytes : {"x", "i3-ipX", "I3-ipc", "HTTP/1.1 200 OK"}) {
    IpcParser parser;
    parser.append(bytes);
    const auto refused = parser.next();
    ASSERT_FALSE(refused) << bytes;
    EXPECT_EQ(refused.error().status, Status::kMalformed);
    parser.append(serialize_ipc(IpcType::kGetOutputs, "[]"));
    EXPECT_FALSE(parser.next()) << "the frame is lost for good";
  }
}

TEST(IpcCodec, RefusesAnOversizedPayloadByItsHeader) {
  for (const std::uint32_t length : {static_cast<std::uint32_t>(kIpcPayloadBytesMax) + 1, 0x80000000U, 0xffffffffU}) {
    IpcParser parser;
    parser.append(header(length, 3));
    const auto refused = parser.next();
    ASSERT_FALSE(refused) << length;
    EXPECT_EQ(refused.error().status, Status::kTooLarge);
  }
  IpcParser parser;
  parser.append(header(static_cast<std::uint32_t>(kIpcPayloadBytesMax), 3));
  EXPECT_TRUE(parser.next());
}

TEST(IpcCodec, KeepsItsMemoryBoundedOverManyMessages) {
  IpcParser parser;
  const std::string message = serialize_ipc(IpcType::kGetOutputs, std::string(1U << 20U, ' '));
  parser.append(message.substr(0, 5));  // so that the buffer is never just empty
  for (int i = 0; i < 64; ++i) {
    parser.append(message.substr(5));
    parser.append(message.substr(0, 5));
    const auto taken = parser.next();
    ASSERT_TRUE(taken && *taken) << i;
    EXPECT_EQ((*taken)->payload.size(), 1U << 20U);
  }
}

TEST(IpcModel, SurvivesArbitraryChangesOfAnAnswer) {
  const std::string good = R"([{"name":"DP-1","active":true,"scale":1.5,"transform":"90","rect":{"x":1,"y":-2},)"
                           R"("current_mode":{"width":1,"height":2,"refresh":3},"modes":[{"width":1}]}])";
  ASSERT_TRUE(parse_outputs(good));
  const std::uint64_t seed = 20240607;
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      bad[random.below(bad.size())] = static_cast<char>(random.below(256));
    }
    const auto parsed = parse_outputs(bad.substr(0, 1 + random.below(bad.size())));
    if (!parsed) {
      ASSERT_FALSE(parsed.error().text.empty()) << "seed " << seed << " round " << i;
    }
  }
}

TEST(IpcModel, ReadsSwaysOutputs) {
  const auto outputs = parse_outputs(R"([
    {"name":"DP-1","make":"Dell","model":"U2720Q","serial":"F00","active":true,"dpms":true,"scale":1.3700000047683716,
     "transform":"90","rect":{"x":-100,"y":50},"current_mode":{"width":3840,"height":2160,"refresh":59997},
     "modes":[{"width":3840,"height":2160,"refresh":59997},{"width":1920,"height":1080,"refresh":60000}]},
    {"name":"DP-2","active":false,"dpms":false},
    {"name":"DP-3","active":true,"dpms":true,"power":false},
    {"active":true}, 7])");
  ASSERT_TRUE(outputs) << outputs.error().text;
  ASSERT_EQ(outputs->size(), 3U);
  const msg::Output& first = (*outputs)[0].output;
  EXPECT_EQ(first.serial, "F00");
  EXPECT_EQ(first.scale, 1.37);
  EXPECT_EQ(first.transform, msg::Transform::k270) << "sway counts clockwise";
  EXPECT_EQ(first.x, -100);
  EXPECT_EQ(first.modes.size(), 2U);
  EXPECT_EQ(first.current_mode->refresh_mhz, 59997U);
  EXPECT_TRUE((*outputs)[0].powered);
  EXPECT_FALSE((*outputs)[1].active);
  EXPECT_FALSE((*outputs)[1].output.current_mode);
  EXPECT_FALSE((*outputs)[2].powered) << "\"power\" is newer than \"dpms\"";
}

TEST(IpcModel, CutsNumbersToWhatTheyCanBe) {
  const auto outputs = parse_outputs(R"([{"name":"X","active":true,"rect":{"x":99999999999,"y":-99999999999},
    "current_mode":{"width":-5,"height":99999999999,"refresh":"60"},"scale":"big"}])");
  ASSERT_TRUE(outputs);
  const msg::Output& o = outputs->front().output;
  EXPECT_EQ(o.x, 2147483647);
  EXPECT_EQ(o.y, -2147483647 - 1);
  EXPECT_EQ(o.current_mode->width_px, 0U);
  EXPECT_EQ(o.current_mode->height_px, 4294967295U);
  EXPECT_EQ(o.current_mode->refresh_mhz, 0U);
  EXPECT_EQ(o.scale, 1.0);
}

TEST(IpcModel, BoundsHostileLists) {
  std::string many = "[";
  for (int i = 0; i < 1000; ++i) many += R"({"name":"O)" + std::to_string(i) + R"(","active":true},)";
  many.back() = ']';
  EXPECT_EQ(parse_outputs(many)->size(), 64U);
  std::string modes = R"([{"name":"A","modes":[)";
  for (int i = 0; i < 1000; ++i) modes += R"({"width":1},)";
  modes.back() = ']';
  EXPECT_EQ(parse_outputs(modes + "}]")->front().output.modes.size(), 256U);
  EXPECT_FALSE(parse_outputs(std::string(100'000, '[')));
  EXPECT_FALSE(parse_outputs("{}"));
  EXPECT_FALSE(parse_version(R"({"human_readable":7})"));
}

TEST(IpcModel, TellsTheErrorsOfACommandLine) {
  EXPECT_EQ(parse_command_errors(R"([{"success":true},{"success":true}])"), "");
  EXPECT_EQ(parse_command_errors(R"([{"success":true},{"success":false,"error":"Unknown command"}])"),
            "Unknown command");
  EXPECT_EQ(parse_command_errors(R"([{"success":false}])"), "refused without a reason");
  EXPECT_EQ(parse_command_errors(R"([{}])"), "refused without a reason");
  EXPECT_FALSE(parse_command_errors("true"));
}

TEST(IpcModel, TurnsEveryTransformThereAndBack) {
  for (const auto& entry : enum_names(msg::Transform{})) {
    EXPECT_EQ(turn_around(turn_around(entry.value)), entry.value) << entry.name;
  }
  EXPECT_EQ(turn_around(msg::Transform::k180), msg::Transform::k180);
  EXPECT_EQ(turn_around(msg::Transform::kFlipped90), msg::Transform::kFlipped270);
}

class IpcConnectionTest : public ::testing::Test {
 protected:
  IpcConnectionTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    connection_.emplace(FileDescriptor(ends[0]));
    server_ = FileDescriptor(ends[1]);
  }
  void say(const std::string& bytes) {
    ASSERT_EQ(::send(server_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  std::optional<IpcConnection> connection_;
  FileDescriptor server_;
  std::vector<IpcMessage> messages_;
};

TEST_F(IpcConnectionTest, GivesWhatCameBeforeTheEnd) {
  say(header(2, 3) + "[]" + header(5, 3) + "x");
  server_.close();
  const auto serviced = connection_->service(messages_);
  ASSERT_FALSE(serviced);
  EXPECT_EQ(serviced.error().status, Status::kNotConnected);
  ASSERT_EQ(messages_.size(), 1U);
  EXPECT_EQ(messages_.front().payload, "[]");
}

TEST_F(IpcConnectionTest, EndsAtGarbage) {
  say("GET / HTTP/1.1\r\n");
  const auto serviced = connection_->service(messages_);
  ASSERT_FALSE(serviced);
  EXPECT_EQ(serviced.error().status, Status::kMalformed);
}

TEST_F(IpcConnectionTest, WaitsForRoomAndThenRefuses) {
  // Nobody reads: what the socket doesn't take is kept, up to a maximum.
  Result<void> sent;
  std::size_t accepted = 0;
  const std::string payload(4000, 'x');
  while ((sent = connection_->send(IpcType::kRunCommand, payload)) && accepted < 100'000) ++accepted;
  ASSERT_FALSE(sent) << "the queue has no end";
  EXPECT_EQ(sent.error().status, Status::kLimit);
  std::vector<pollfd> fds;
  connection_->poll_fds(fds);
  ASSERT_EQ(fds.size(), 1U);
  EXPECT_NE(fds.front().events & POLLOUT, 0);
}

TEST_F(IpcConnectionTest, NoticesAClosedSocketWhenSending) {
  server_.close();
  EXPECT_FALSE(connection_->send(IpcType::kGetOutputs, {}));  // and no SIGPIPE
}

class IpcSubscriptionTest : public IpcConnectionTest {
 protected:
  IpcSubscriptionTest() {
    auto begun = IpcSubscription::begin(std::move(*connection_));
    EXPECT_TRUE(begun);
    subscription_.emplace(std::move(*begun));
  }
  // What was sent since the last call.
  std::string heard() {
    std::array<char, 4096> buffer{};
    const ssize_t n = ::recv(server_.get(), buffer.data(), buffer.size(), 0);
    return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
  }
  void answer(const std::string& payload) {
    say(header(static_cast<std::uint32_t>(payload.size()), 2) + payload);
    ASSERT_TRUE(subscription_->service());
  }
  std::optional<IpcSubscription> subscription_;
};

TEST_F(IpcSubscriptionTest, AsksForOutputsFirst) {
  EXPECT_EQ(heard(), serialize_ipc(IpcType::kSubscribe, R"(["output","input","workspace"])"));
  EXPECT_FALSE(subscription_->tells_outputs());
  answer(R"({"success": true})");
  EXPECT_TRUE(subscription_->tells_outputs());
  EXPECT_EQ(heard(), "");
}

TEST_F(IpcSubscriptionTest, AsksAgainWithoutOutputsWhereTheyAreUnknown) {
  heard();
  answer(R"({"success": false})");
  EXPECT_EQ(heard(), serialize_ipc(IpcType::kSubscribe, R"(["input","workspace"])"));
  answer(R"({"success": true})");
  EXPECT_FALSE(subscription_->tells_outputs());
}

TEST_F(IpcSubscriptionTest, GivesUpWhereEvenInputsAreUnknown) {
  answer(R"({"success": false})");
  const std::string refusal = R"({"success": false})";
  say(header(static_cast<std::uint32_t>(refusal.size()), 2) + refusal);
  EXPECT_FALSE(subscription_->service());
}

TEST_F(IpcSubscriptionTest, TellsWhatChanged) {
  say(header(2, kIpcEventBit | 21U) + "{}");
  auto seen = subscription_->service();
  ASSERT_TRUE(seen);
  EXPECT_TRUE(seen->inputs_changed);
  EXPECT_FALSE(seen->outputs_changed);
  say(header(2, kIpcEventBit | 1U) + "{}" + header(2, kIpcEventBit | 6U) + "{}");
  seen = subscription_->service();
  ASSERT_TRUE(seen);
  EXPECT_FALSE(seen->inputs_changed);
  EXPECT_TRUE(seen->outputs_changed);
}

}  // namespace
}  // namespace compositord::agent::sway
