// The golden vectors in schemas/vectors: our codecs read and write exactly these bytes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "broker/core/broker_core.h"
#include "broker/core/feed.h"
#include "common/msg/alert.h"
#include "common/msg/envelope.h"
#include "common/msg/manifest.h"
#include "common/msg/registration.h"
#include "common/msg/status.h"
#include "common/wire/mdp_codec.h"
#include "tests/support/vectors.h"

namespace compositord::test {
namespace {

using testing::HasSubstr;

// Serializes what the vector says it means.
wire::Frames serialize_meaning(const msg::Value& file, const msg::Value& vector) {
  const std::string command = text_at(file, "command");
  const bool to_broker = text_at(file, "direction") == "to-broker";
  const wire::Dialect dialect{text_at(file, "version") == "0.1" ? wire::MdpVersion::k01 : wire::MdpVersion::k02,
                              bool_at(vector, "delimiter")};
  const std::string service = text_or_none(vector, "service");
  const std::string address = from_hex(text_or_none(vector, "address"));
  const wire::Frames body = frames_at(vector, "body");
  const bool final = command == "FINAL";
  if (command == "READY") return serialize(dialect, wire::mdp::WorkerReady{service});
  if (command == "HEARTBEAT") return serialize(dialect, wire::mdp::Heartbeat{});
  if (command == "DISCONNECT") return serialize(dialect, wire::mdp::Disconnect{});
  if (command == "REQUEST") {
    return to_broker ? serialize(dialect, wire::mdp::ClientRequest{service, body})
                     : serialize(dialect, wire::mdp::WorkerRequest{address, body});
  }
  return to_broker ? serialize(dialect, wire::mdp::WorkerReply{final, address, body})
                   : serialize(dialect, wire::mdp::ClientReply{final, service, body});
}

struct Meaning {
  std::string command;
  std::string service;
  std::string address;
  wire::Frames body;

  void operator()(const wire::mdp::ClientRequest& m) { service = m.service, body = m.body; }
  void operator()(const wire::mdp::ClientReply& m) { service = m.service, body = m.body; }
  void operator()(const wire::mdp::WorkerReady& m) { service = m.service; }
  void operator()(const wire::mdp::WorkerRequest& m) { address = m.client_address, body = m.body; }
  void operator()(const wire::mdp::WorkerReply& m) { address = m.client_address, body = m.body; }
  void operator()(const wire::mdp::Heartbeat&) {}
  void operator()(const wire::mdp::Disconnect&) {}
};

template <class Message>
void check_parsed(const Result<wire::Parsed<Message>>& parsed, const msg::Value& file, const msg::Value& vector) {
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->dialect.version == wire::MdpVersion::k01, text_at(file, "version") == "0.1");
  EXPECT_EQ(parsed->dialect.delimiter, bool_at(vector, "delimiter"));
  EXPECT_EQ(wire::command_name(parsed->message), text_at(file, "command"));
  Meaning meaning;
  std::visit(meaning, parsed->message);
  EXPECT_EQ(meaning.service, text_or_none(vector, "service"));
  EXPECT_EQ(to_hex(meaning.address), text_or_none(vector, "address"));
  EXPECT_EQ(meaning.body, frames_at(vector, "body"));
}

TEST(Vectors, MdpMessagesAreParsedAndSerializedByteForByte) {
  int files = 0;
  for (const VectorFile& file : read_vector_files()) {
    if (file.content.find("command") == nullptr) continue;
    ++files;
    for (const msg::Value& vector : array_at(file.content, "vectors")) {
      SCOPED_TRACE(file.name + ": " + text_at(vector, "name"));
      const wire::Frames frames = frames_at(vector, "frames");
      if (text_at(file.content, "direction") == "to-broker") {
        check_parsed(wire::parse_at_broker(wire::Frames(frames)), file.content, vector);
      } else {
        check_parsed(wire::parse_from_broker(wire::Frames(frames)), file.content, vector);
      }
      EXPECT_EQ(serialize_meaning(file.content, vector), frames);
    }
  }
  EXPECT_EQ(files, 20);  // 0.1 has 9 messages and 0.2 has 11
}

TEST(Vectors, MalformedMdpMessagesAreRefusedWithTheirReason) {
  const VectorFile file = read_vector_file("mdp_malformed.json");
  for (const msg::Value& vector : array_at(file.content, "vectors")) {
    SCOPED_TRACE(text_at(vector, "name"));
    wire::Frames frames = frames_at(vector, "frames");
    Error error;
    if (text_at(vector, "direction") == "to-broker") {
      const auto parsed = wire::parse_at_broker(std::move(frames));
      ASSERT_FALSE(parsed);
      error = parsed.error();
    } else {
      const auto parsed = wire::parse_from_broker(std::move(frames));
      ASSERT_FALSE(parsed);
      error = parsed.error();
    }
    EXPECT_EQ(msg::Value(std::int64_t{to_number(error.status)}), at(vector, "status"));
    EXPECT_THAT(error.text, HasSubstr(text_at(vector, "error")));
  }
}

template <class Message>
void check_message(const msg::Value& vector) {
  const std::string bytes = from_hex(text_at(vector, "msgpack"));
  for (const Result<msg::Value>& decoded : {msg::decode_msgpack(bytes), msg::decode_json(text_at(vector, "json"))}) {
    ASSERT_TRUE(decoded) << decoded.error().text;
    const Result<Message> message = msg::from_value<Message>(*decoded);
    ASSERT_TRUE(message) << message.error().text;
    EXPECT_EQ(to_hex(msg::encode_msgpack(to_value(*message))), text_at(vector, "msgpack"));
    EXPECT_EQ(msg::encode_json(to_value(*message)), text_at(vector, "json"));
  }
  EXPECT_EQ(msg::decode_json(text_at(vector, "json")).value(), at(vector, "decoded"));
  // The same content has the same hash, whichever encoding it came in.
  EXPECT_EQ(msg::content_hash(msg::decode_msgpack(bytes).value()),
            msg::content_hash(msg::decode_json(text_at(vector, "json")).value()));
}

TEST(Vectors, MessagesAreReadAndWrittenByteForByteInBothEncodings) {
  const std::map<std::string, void (*)(const msg::Value&)> kinds{{"registration", check_message<msg::Registration>},
                                                                 {"registered", check_message<msg::Registered>},
                                                                 {"status_report", check_message<msg::StatusReport>},
                                                                 {"status", check_message<msg::Status>},
                                                                 {"manifest", check_message<msg::Manifest>},
                                                                 {"alert", check_message<msg::Alert>},
                                                                 {"request_header", check_message<msg::RequestHeader>},
                                                                 {"reply_header", check_message<msg::ReplyHeader>}};
  std::set<std::string> seen;
  for (const VectorFile& file : read_vector_files()) {
    if (file.content.find("message") == nullptr) continue;
    const std::string kind = text_at(file.content, "message");
    seen.insert(kind);
    for (const msg::Value& vector : array_at(file.content, "vectors")) {
      SCOPED_TRACE(file.name + ": " + text_at(vector, "name"));
      kinds.at(kind)(vector);
    }
  }
  EXPECT_EQ(seen.size(), kinds.size());
}

template <class Envelope>
void check_envelope(const Result<Envelope>& parsed, const msg::Value& payload, const wire::Frames& serialized,
                    const msg::Value& vector) {
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->encoding == msg::Encoding::kJson, text_at(vector, "encoding") == "json");
  EXPECT_EQ(to_value(parsed->header), at(vector, "header"));
  EXPECT_EQ(payload, at(vector, "payload"));
  const wire::Frames attachments = frames_at(vector, "attachments");
  EXPECT_EQ(parsed->attachments, attachments);
  EXPECT_EQ(serialized, frames_at(vector, "body"));
}

TEST(Vectors, CallsAndRepliesAreParsedAndSerializedByteForByte) {
  const VectorFile file = read_vector_file("calls.json");
  for (const msg::Value& vector : array_at(file.content, "vectors")) {
    SCOPED_TRACE(text_at(vector, "name"));
    const wire::Frames body = frames_at(vector, "body");
    if (text_at(vector, "kind") == "call") {
      const auto call = msg::parse_call(body);
      check_envelope(call, call ? call->params : msg::Value(), call ? serialize_call(*call) : wire::Frames(), vector);
    } else {
      const auto reply = msg::parse_reply(body);
      check_envelope(reply, reply ? reply->result : msg::Value(), reply ? serialize_reply(*reply) : wire::Frames(),
                     vector);
    }
  }
}

TEST(Vectors, TheFeedPublishesByteForByte) {
  const msg::Value file = read_vector_file("feed.json").content;
  const msg::Value::Array& vectors = array_at(file, "vectors");
  broker::Counters counters;
  broker::Feed feed(3, broker::Limits{}, counters);
  broker::Outputs out;
  const UnixMs now{1'767'225'600'000};
  ASSERT_TRUE(feed.on_received({"\x01json/"}, now, out));
  feed.publish(broker::FeedKind::kAlert, "critical/wall-3/wayland-1", at(vectors.at(0), "payload"), now, out);
  broker::Feed second(3, broker::Limits{}, counters);
  ASSERT_TRUE(second.on_received({"\x01json/bus/tick"}, now, out));
  second.publish(broker::FeedKind::kBus, "tick", at(vectors.at(2), "payload"), now, out);
  ASSERT_EQ(out.publishes.size(), vectors.size());
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    SCOPED_TRACE(text_at(vectors.at(i), "name"));
    EXPECT_EQ(out.publishes[i], frames_at(vectors.at(i), "frames"));
  }
}

}  // namespace
}  // namespace compositord::test
