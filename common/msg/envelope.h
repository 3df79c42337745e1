#pragma once
// Layer 1: a call and its replies as MDP bodies. Source: schemas/PROTOCOL.md "Calls".
//
//   MessagePack   frame 0: header map · frame 1: parameters or result, a map · further frames: binary attachments
//   JSON          one frame that begins with '{': {"v":1,"id":7,"method":"list","params":{…}}
//                 and its answer                  {"v":1,"id":7,"status":200,"result":{…}}
//
// A call is answered in the encoding in which it was made.

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/msg/encoded_value.h"
#include "common/msg/fields.h"
#include "common/msg/value.h"
#include "common/wire/frames.h"

namespace compositord::msg {

enum class Encoding : std::uint8_t { kMsgpack, kJson };

struct RequestHeader {
  std::int64_t v = 1;
  Value id;  // an integer or a string that the caller chose; it comes back in every reply
  std::string method;
  std::optional<std::int64_t> deadline_ms;  // from arrival at the broker
  std::optional<std::string> idem;          // a key of the caller's: the same call again is not carried out twice
  std::optional<bool> queue;                // to be kept until it can be carried out
  std::optional<std::int64_t> ttl_ms;       // with queue: given up when it has not begun by then
  std::optional<bool> idempotent;           // with queue: it may be carried out more than once

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("v", m.v);
    v("id", m.id);
    v("method", m.method);
    v("deadline_ms", m.deadline_ms);
    v("idem", m.idem);
    v("queue", m.queue);
    v("ttl_ms", m.ttl_ms);
    v("idempotent", m.idempotent);
  }
};

struct ReplyHeader {
  std::int64_t v = 1;
  Value id;
  std::uint16_t status = 200;
  std::optional<std::string> error;    // a sentence, with every status that is no success
  std::optional<std::int64_t> age_ms;  // how old the answer's facts are, where they come from a cache
  std::optional<bool> more;            // true: a part of an answer that a later reply ends

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("v", m.v);
    v("id", m.id);
    v("status", m.status);
    v("error", m.error);
    v("age_ms", m.age_ms);
    v("more", m.more);
  }
};

struct Call {
  Encoding encoding = Encoding::kMsgpack;
  RequestHeader header;
  Value params = Value::map();
  wire::Frames attachments;  // MessagePack only
};

struct Reply {
  Encoding encoding = Encoding::kMsgpack;
  ReplyHeader header;
  Value result = Value::map();
  std::optional<EncodedEntry> encoded;  // of a reply to be sent: one more entry of the result
  wire::Frames attachments;
};

// Whether a body claims to be a call: its first frame begins like a MessagePack map or like '{'. Cheap, and never wrong about
// a call; a foreign body may look like one by chance.
bool looks_like_call(const wire::Frames& body) noexcept;
// The encoding a body is in, as far as its first byte tells: what an error about it is answered in.
Encoding encoding_of(const wire::Frames& body) noexcept;

// Only what routing needs; the parameters stay bytes. Errors as for parse_call.
Result<RequestHeader> parse_call_header(const wire::Frames& body);
// Errors: kMalformed with the place, kTooLarge over a decoding limit.
Result<Call> parse_call(const wire::Frames& body);
Result<Reply> parse_reply(const wire::Frames& body);

wire::Frames serialize_call(const Call& call);
// JSON has no attachments: they are left out.
wire::Frames serialize_reply(const Reply& reply);

// A reply that says only how it ended.
Reply error_reply(Encoding encoding, const Value& id, const Error& error);
Reply ok_reply(const Call& call, Value result);

}  // namespace compositord::msg
