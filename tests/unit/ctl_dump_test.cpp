// dump: what is made of a message, and which ones are shown.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/msg/value.h"
#include "common/wire/mdp_codec.h"
#include "tools/compositorctl/dump_decode.h"
#include "tools/compositorctl/dump_text.h"

namespace compositord::ctl {
namespace {

using msg::Value;

constexpr wire::Dialect k01{wire::MdpVersion::k01, true};
constexpr wire::Dialect k02{wire::MdpVersion::k02, false};
const std::string kBytes("\x00\xff\x10", 3);

wire::Frames call_frames(const std::string& method) {
  const std::string header = encode_msgpack(Value::map({{"v", 1}, {"id", 7}, {"method", method}}));
  return {header, encode_msgpack(Value::map({{"limit", 10}}))};
}

SeenMessage to_broker(wire::Frames frames, const std::string& peer = "peer") {
  return {1'700'000'000'123'456, wire::RoutingId(peer), Direction::kToBroker, false, std::move(frames)};
}
SeenMessage from_broker(wire::Frames frames, const std::string& peer = "peer") {
  SeenMessage message = to_broker(std::move(frames), peer);
  message.direction = Direction::kFromBroker;
  return message;
}

// Without the time, which depends on the time zone.
std::string text_of(const SeenMessage& message, DumpOptions options = {}) {
  const std::optional<std::string> lines = Dump(std::move(options)).lines_of(message);
  return lines ? lines->substr(lines->find("  ") + 2) : "nothing";
}

TEST(DumpDecode, NamesEveryMessageOfBothVersions) {
  struct Case {
    Direction direction;
    wire::Frames frames;
    std::string version, command;
    bool worker;
  };
  for (const wire::Dialect& dialect : {k01, k02}) {
    const std::string version = dialect == k01 ? "0.1" : "0.2";
    const std::vector<Case> cases{
        {Direction::kToBroker, serialize(dialect, wire::mdp::ClientRequest{"s", {"b"}}), version, "REQUEST", false},
        {Direction::kFromBroker, serialize(dialect, wire::mdp::ClientReply{true, "s", {"b"}}), version, "FINAL", false},
        {Direction::kToBroker, serialize(dialect, wire::mdp::WorkerReady{"s"}), version, "READY", true},
        {Direction::kFromBroker, serialize(dialect, wire::mdp::WorkerRequest{"a", {"b"}}), version, "REQUEST", true},
        {Direction::kToBroker, serialize(dialect, wire::mdp::WorkerReply{true, "a", {"b"}}), version, "FINAL", true},
        {Direction::kToBroker, serialize(dialect, wire::mdp::Heartbeat{}), version, "HEARTBEAT", true},
        {Direction::kFromBroker, serialize(dialect, wire::mdp::Disconnect{}), version, "DISCONNECT", true}};
    for (const Case& c : cases) {
      const DecodedMessage message = decode_message(c.direction, c.frames);
      EXPECT_EQ(message.fault, "");
      EXPECT_EQ(message.version, c.version);
      EXPECT_EQ(message.command, c.command);
      EXPECT_EQ(message.worker, c.worker) << c.version << c.command;
    }
  }
  const wire::Frames partial = serialize(k02, wire::mdp::WorkerReply{false, "a", {"b"}});
  EXPECT_EQ(decode_message(Direction::kToBroker, partial).command, "PARTIAL");
}

TEST(DumpDecode, SplitsACallInMsgpackAndInJson) {
  for (const wire::Frames& body :
       {call_frames("list"), wire::Frames{R"({"v":1,"id":7,"method":"list","params":{"limit":10}})"}}) {
    const DecodedMessage message =
        decode_message(Direction::kToBroker, serialize(k02, wire::mdp::ClientRequest{"bus.manifest", body}));
    ASSERT_EQ(message.body.size(), 2U);
    EXPECT_EQ(message.body[0].name, "header");
    EXPECT_EQ(message.body[0].value, Value::map({{"v", 1}, {"id", 7}, {"method", "list"}}));
    EXPECT_EQ(message.body[1].name, "params");
    EXPECT_EQ(message.body[1].value, Value::map({{"limit", 10}}));
  }
}

TEST(DumpDecode, KnowsAReplyByItsStatus) {
  const wire::Frames body{R"({"v":1,"id":7,"status":404,"error":"no","result":{}})"};
  const DecodedMessage message =
      decode_message(Direction::kFromBroker, serialize(k02, wire::mdp::ClientReply{true, "bus.status", body}));
  ASSERT_EQ(message.body.size(), 2U);
  EXPECT_EQ(message.body[1].name, "result");
}

TEST(DumpDecode, TakesForeignBodiesForWhatTheyAre) {
  const wire::Frames body{"hello",
                          kBytes,
                          "",
                          "[1,2]",
                          encode_msgpack(Value::map({{"t", 20.5}})),
                          "{no json",
                          std::string("\x93\x01\x02", 3)};
  const DecodedMessage message =
      decode_message(Direction::kToBroker, serialize(k02, wire::mdp::ClientRequest{"x", body}));
  using Kind = BodyPart::Kind;
  std::vector<Kind> kinds;
  for (const BodyPart& part : message.body) {
    kinds.push_back(part.kind);
    EXPECT_EQ(part.name, "");
    EXPECT_EQ(part.frame, kinds.size() - 1);
  }
  EXPECT_EQ(kinds, (std::vector{Kind::kText, Kind::kBytes, Kind::kBytes, Kind::kJson, Kind::kMsgpack, Kind::kText,
                                Kind::kBytes}));
}

// Integer keys, an extension type, bytes, numbers that JSON does not have: what strangers write, and no call of this bus.
TEST(DumpText, ShowsMessagePackThatThisBusWouldRefuse) {
  const std::string frame(
      "\x86\x01\xc3\xc0\x90\xa1"
      "b\xc4\x02\xff\x00\xa1"
      "e\xd6\x05wxyz\xa1"
      "n\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\xa1"
      "i\xca\xff\x80\x00\x00",
      37);
  EXPECT_EQ(text_of(to_broker(serialize(k02, wire::mdp::ClientRequest{"x", {frame}}))),
            "p1 -> broker  MDP 0.2 client REQUEST x\n"
            "    [0] msgpack {\"1\":true,\"null\":[],\"b\":{\"hex\":\"ff00\"},\"e\":{\"ext\":5,\"hex\":\"7778797a\"},"
            "\"n\":\"NaN\",\"i\":\"-Infinity\"}\n");
}

TEST(DumpText, ShowsALargeList) {
  std::string frame("\xdd\x00\x04\x93\xe0", 5);  // 300,000 values
  frame.append(300'000, '\x07');
  const std::string text = text_of(to_broker(serialize(k02, wire::mdp::ClientRequest{"x", {frame}})));
  EXPECT_NE(text.find("[0] msgpack [\n      7,\n"), std::string::npos) << text.substr(0, 200);
}

TEST(DumpText, SaysWhyWhatLooksLikeMessagePackIsNone) {
  const SeenMessage message =
      to_broker(serialize(k02, wire::mdp::ClientRequest{"x", {std::string("\x93\x01\x02", 3)}}));
  EXPECT_NE(text_of(message).find("[0] 3 bytes: 93 01 02 (MessagePack byte 3: cut short)\n"), std::string::npos)
      << text_of(message);
  DumpOptions options;
  options.json = true;
  const Result<Value> line = msg::decode_json(*Dump(options).lines_of(message));
  ASSERT_TRUE(line);
  EXPECT_EQ(*line->find("body"),
            Value::array({Value::map({{"hex", "930102"}, {"fault", "MessagePack byte 3: cut short"}})}));
}

TEST(DumpDecode, AMapThatIsNoHeaderIsNotCalledOne) {
  const DecodedMessage message = decode_message(
      Direction::kToBroker, serialize(k02, wire::mdp::ClientRequest{"x", {R"({"id":1,"params":{}})", "y"}}));
  ASSERT_EQ(message.body.size(), 2U);
  EXPECT_EQ(message.body[0].name, "");
}

TEST(DumpDecode, SaysWhyAMessageIsNone) {
  for (const wire::Frames& frames : {wire::Frames{}, {"MDPX"}, {"MDPC02"}, {"MDPW02", "\x09"}, {kBytes, kBytes}}) {
    const DecodedMessage message = decode_message(Direction::kToBroker, frames);
    EXPECT_NE(message.fault, "");
    EXPECT_EQ(message.frames, frames);
  }
  // What is right in one direction is wrong in the other.
  EXPECT_NE(decode_message(Direction::kFromBroker, serialize(k02, wire::mdp::WorkerReady{"s"})).fault, "");
}

TEST(DumpText, ShowsACall) {
  EXPECT_EQ(text_of(to_broker(serialize(k02, wire::mdp::ClientRequest{"bus.manifest", call_frames("list")}))),
            "p1 -> broker  MDP 0.2 client REQUEST bus.manifest\n"
            "    header msgpack {\"v\":1,\"id\":7,\"method\":\"list\"}\n"
            "    params msgpack {\"limit\":10}\n");
}

TEST(DumpText, ShowsForeignFrames) {
  EXPECT_EQ(text_of(from_broker(serialize(k01, wire::mdp::WorkerRequest{kBytes, {"a \"b\"", kBytes, ""}}))),
            "broker -> p1  MDP 0.1 worker REQUEST for client 00 ff 10\n"
            "    [0] text \"a \"b\"\"\n"
            "    [1] 3 bytes: 00 ff 10\n"
            "    [2] empty\n");
}

TEST(DumpText, ShowsWhatIsNoMessage) {
  EXPECT_EQ(text_of(to_broker({"MDPX", kBytes})),
            "p1 -> broker  not MDP: \"MDPX\" is no protocol of this bus (MDPC01, MDPW01, MDPC02, MDPW02)\n"
            "    [0] 4 bytes: 4d 44 50 58\n"
            "    [1] 3 bytes: 00 ff 10\n");
  SeenMessage message = to_broker({});
  message.too_large = true;
  EXPECT_EQ(text_of(message), "p1 -> broker  too large: dropped, its bytes are not known\n");
}

TEST(DumpText, ShortensUnlessFull) {
  Value long_array = Value::array();
  for (int i = 0; i < 2'000; ++i) long_array.push("äöü");
  const wire::Frames body{std::string(65, 'x'), std::string(65, '\xff'),
                          encode_msgpack(Value::map({{"a", long_array}}))};
  const SeenMessage message = to_broker(serialize(k02, wire::mdp::ClientRequest{"x", body}));
  const std::string text = text_of(message);
  EXPECT_NE(text.find("\"" + std::string(64, 'x') + "…\""), std::string::npos) << text;
  EXPECT_NE(text.find("[0] text of 65 bytes \"xxx"), std::string::npos) << text;
  EXPECT_NE(text.find("65 bytes: ff ff"), std::string::npos);
  EXPECT_NE(text.find("ff …\n"), std::string::npos);
  EXPECT_NE(text.find("bytes more, --full shows them"), std::string::npos);
  EXPECT_LT(text.size(), 10'000U);
  DumpOptions full;
  full.full = true;
  const std::string whole = text_of(message, full);
  EXPECT_EQ(whole.find("…"), std::string::npos);
  EXPECT_GT(whole.size(), 2'000U * 6);
}

TEST(DumpText, IsSafeForATerminal) {
  const std::string evil = "\x1b[2J\n\xc2\x9b";
  const std::string header = encode_msgpack(Value::map({{"id", evil}, {"method", evil}}));
  for (const wire::Frames& frames : {serialize(k02, wire::mdp::ClientRequest{evil, {evil, header}}),
                                     serialize(k02, wire::mdp::ClientRequest{evil, {header}}), wire::Frames{evil}}) {
    for (const bool json : {false, true}) {
      DumpOptions options;
      options.json = json;
      const std::string text = *Dump(options).lines_of(to_broker(frames, evil));
      EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
      EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos) << text;
    }
  }
}

TEST(DumpText, WritesJson) {
  DumpOptions options;
  options.json = true;
  Dump dump(options);
  const wire::Frames frames =
      serialize(k02, wire::mdp::WorkerReply{true, kBytes, {call_frames("x")[0], "{}", "t", kBytes}});
  (void)dump.lines_of(to_broker(serialize(k02, wire::mdp::WorkerReady{"echo"})));
  const Result<Value> line = msg::decode_json(*dump.lines_of(to_broker(frames)));
  ASSERT_TRUE(line);
  const Value expected =
      Value::map({{"time_us", 1'700'000'000'123'456},
                  {"peer", "p1"},
                  {"routing_id", "70656572"},
                  {"direction", "to-broker"},
                  {"mdp", "0.2"},
                  {"role", "worker"},
                  {"command", "FINAL"},
                  {"service", "echo"},
                  {"client_address", "00ff10"},
                  {"header", Value::map({{"v", 1}, {"id", 7}, {"method", "x"}})},
                  {"params", Value::map()},
                  {"body", Value::array({Value::map({{"text", "t"}}), Value::map({{"hex", "00ff10"}})})}});
  EXPECT_EQ(*line, expected) << msg::encode_json(*line);
  const Result<Value> fault = msg::decode_json(*dump.lines_of(to_broker({kBytes})));
  ASSERT_TRUE(fault);
  EXPECT_EQ(*fault->find("frames"), Value::array({"00ff10"}));
  EXPECT_TRUE(fault->find("fault")->is_string());
}

TEST(DumpFilter, ByServiceKnowsAWorkersFromItsReady) {
  DumpOptions options;
  options.service_glob = "e*o";
  Dump dump(options);
  const wire::Frames heartbeat = serialize(k02, wire::mdp::Heartbeat{});
  EXPECT_FALSE(dump.lines_of(to_broker(heartbeat, "worker")));
  EXPECT_TRUE(dump.lines_of(to_broker(serialize(k02, wire::mdp::WorkerReady{"echo"}), "worker")));
  EXPECT_TRUE(dump.lines_of(to_broker(heartbeat, "worker")));
  EXPECT_FALSE(dump.lines_of(to_broker(heartbeat, "another")));
  EXPECT_TRUE(dump.lines_of(to_broker(serialize(k02, wire::mdp::ClientRequest{"expo", {}}))));
  EXPECT_FALSE(dump.lines_of(to_broker(serialize(k02, wire::mdp::ClientRequest{"other", {}}))));
  EXPECT_FALSE(dump.lines_of(to_broker({"nonsense"})));
}

TEST(DumpFilter, ByCommandPeerAndWithoutHeartbeats) {
  const SeenMessage heartbeat = to_broker(serialize(k01, wire::mdp::Heartbeat{}));
  const SeenMessage request = to_broker(serialize(k02, wire::mdp::ClientRequest{"x", {}}));
  DumpOptions options;
  options.no_heartbeats = true;
  EXPECT_FALSE(Dump(options).lines_of(heartbeat));
  EXPECT_TRUE(Dump(options).lines_of(request));
  options = {};
  options.commands = {"FINAL", "HEARTBEAT"};
  EXPECT_TRUE(Dump(options).lines_of(heartbeat));
  EXPECT_FALSE(Dump(options).lines_of(request));
  options = {};
  options.peers = {"p2", "70656572"};
  Dump dump(options);
  EXPECT_TRUE(dump.lines_of(request)) << "by its routing id";
  EXPECT_TRUE(dump.lines_of(to_broker(request.frames, "second"))) << "by its name";
  EXPECT_FALSE(dump.lines_of(to_broker(request.frames, "third")));
}

TEST(DumpText, IntroducesAPeerOnceWhenAskedTo) {
  DumpOptions options;
  options.routing_ids = true;
  Dump dump(options);
  const SeenMessage message = to_broker({"x"});
  EXPECT_TRUE(dump.lines_of(message)->starts_with("p1 is the peer 70656572\n"));
  EXPECT_EQ(dump.lines_of(message)->find("is the peer"), std::string::npos);
}

}  // namespace
}  // namespace compositord::ctl
