// Calls and replies as MDP bodies, in MessagePack and in JSON.

#include "common/msg/envelope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace compositord::msg {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

wire::Frames body(const Value& header, const Value& params = Value::map()) {
  return {encode_msgpack(header), encode_msgpack(params)};
}

void expect_refused(const wire::Frames& frames, const std::string& why, Status status = Status::kMalformed) {
  const auto call = parse_call(frames);
  ASSERT_FALSE(call) << "accepted";
  EXPECT_EQ(call.error().status, status);
  EXPECT_THAT(call.error().text, HasSubstr(why));
}

TEST(Envelope, ACallWithoutParametersHasAnEmptyMap) {
  const auto call = parse_call({encode_msgpack(Value::map({{"v", 1}, {"id", 7}, {"method", "list"}}))});
  ASSERT_TRUE(call) << call.error().text;
  EXPECT_EQ(call->params, Value::map());
  const auto json = parse_call({R"({"v":1,"id":7,"method":"list","params":null})"});
  ASSERT_TRUE(json) << json.error().text;
  EXPECT_EQ(json->params, Value::map());
}

TEST(Envelope, UnknownHeaderKeysAreIgnored) {
  EXPECT_TRUE(parse_call(body(Value::map({{"v", 1}, {"id", 7}, {"method", "x"}, {"of_the_future", Value::array()}}))));
}

TEST(Envelope, RefusesHeadersThatAreWrong) {
  expect_refused({}, "the body has no frames");
  expect_refused({""}, "header:");
  expect_refused(body(Value::map({{"v", 2}, {"id", 7}, {"method", "x"}})), "v is 2, this bus speaks 1");
  expect_refused(body(Value::map({{"id", 7}, {"method", "x"}})), "v: missing");
  expect_refused(body(Value::map({{"v", 1}, {"id", 7}})), "method: missing");
  expect_refused(body(Value::map({{"v", 1}, {"method", "x"}})), "id must be an integer or a string");
  expect_refused(body(Value::map({{"v", 1}, {"id", 0.5}, {"method", "x"}})), "id must be an integer or a string");
  expect_refused(body(Value::map({{"v", 1}, {"id", std::string(129, 'x')}, {"method", "x"}})), "longer than 128");
  for (const std::int64_t wrong : {std::int64_t{0}, std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
    expect_refused(body(Value::map({{"v", 1}, {"id", 7}, {"method", "x"}, {"deadline_ms", wrong}})),
                   "must be positive");
  }
  expect_refused(body(Value::map({{"v", 1}, {"id", 7}, {"method", "x"}, {"deadline_ms", "soon"}})), "integer expected");
  expect_refused(body(Value::array({1, 2})), "map expected");
}

TEST(Envelope, AHeaderIsSmall) {
  Value deep = Value::map();
  for (int i = 0; i < 5; ++i) deep = Value::map({{"x", deep}});
  expect_refused(body(Value::map({{"v", 1}, {"id", 7}, {"method", "x"}, {"more", deep}})), "nested deeper",
                 Status::kTooLarge);
}

TEST(Envelope, RefusesParametersThatAreNoMap) {
  const Value header = Value::map({{"v", 1}, {"id", 7}, {"method", "x"}});
  expect_refused(body(header, Value::array()), "params: a map expected, got array");
  expect_refused({encode_msgpack(header), "\xc1"}, "params: MessagePack");
  expect_refused({R"({"v":1,"id":7,"method":"x","params":[]})"}, "params: a map expected, got array");
}

TEST(Envelope, AJsonCallIsOneFrame) { expect_refused({R"({"v":1,"id":7,"method":"x"})", "more"}, "is one frame"); }

TEST(Envelope, TellsByTheFirstByteWhatMayBeACall) {
  EXPECT_TRUE(looks_like_call({"{"}));
  EXPECT_FALSE(looks_like_call({"{", "x"}));
  EXPECT_TRUE(looks_like_call({"\x80"}));
  EXPECT_TRUE(looks_like_call({"\x8f", "x"}));
  EXPECT_TRUE(looks_like_call({"\xde"}));
  for (const char* foreign : {"", "hello", "\x90", "\xc0", "[", "\x7f"}) EXPECT_FALSE(looks_like_call({foreign}));
  EXPECT_FALSE(looks_like_call({}));
}

TEST(Envelope, AnswersInTheEncodingOfTheCall) {
  for (const wire::Frames& frames :
       {wire::Frames{R"({"v":1,"id":"a","method":"x"})"}, body(Value::map({{"v", 1}, {"id", "a"}, {"method", "x"}}))}) {
    const auto call = parse_call(frames);
    ASSERT_TRUE(call);
    const auto reply = parse_reply(serialize_reply(ok_reply(*call, Value::map({{"n", 1}}))));
    ASSERT_TRUE(reply) << reply.error().text;
    EXPECT_EQ(reply->encoding, call->encoding);
    EXPECT_EQ(reply->header.id, Value("a"));
    EXPECT_EQ(reply->header.status, 200);
    EXPECT_EQ(reply->result, Value::map({{"n", 1}}));
  }
}

TEST(Envelope, AnErrorReplySaysStatusAndWhy) {
  const Reply reply = error_reply(Encoding::kJson, Value(7), Error{Status::kNotFound, "no such thing"});
  EXPECT_THAT(serialize_reply(reply).at(0).str(), StartsWith(R"({"v":1,"id":7,"status":404,"error":"no such thing")"));
}

TEST(Envelope, AnEntryThatIsEncodedAlreadyReadsLikeAnyOther) {
  const Value manifest = Value::map({{"name", "sway"}, {"outputs", Value::array({1, "x"})}});
  for (const Encoding encoding : {Encoding::kMsgpack, Encoding::kJson}) {
    for (const Value& rest : {Value::map(), Value::map({{"id", "a/b"}, {"stored", true}})}) {
      Reply plain;
      plain.encoding = encoding;
      plain.header.id = Value(7);
      plain.header.age_ms = 5;
      plain.result = rest;
      Reply spliced = plain;
      spliced.encoded = EncodedEntry{"manifest", std::make_shared<const EncodedValue>(encode_msgpack(manifest))};
      plain.result.set("manifest", manifest);
      EXPECT_EQ(serialize_reply(spliced), serialize_reply(plain));
    }
  }
}

}  // namespace
}  // namespace compositord::msg
