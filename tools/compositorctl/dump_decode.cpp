#include "tools/compositorctl/dump_decode.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <variant>

#include "common/base/log_event.h"
#include "common/wire/mdp_codec.h"

namespace compositord::ctl {

namespace {

using msg::Value;

// Wider than the bus's: others decode what they like. About 40 MiB of Values.
constexpr msg::DecodeLimits kLimits{128, 1U << 20U};

// Of MessagePack only maps and arrays are believed: nearly every text and many a binary frame begins like a number.
bool looks_like_msgpack(const wire::Frame& frame) {
  const auto first = static_cast<unsigned char>(frame[0]);
  return (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf);
}

BodyPart decode_frame(const wire::Frame& frame) {
  BodyPart part;
  const bool json = !frame.empty() && (frame[0] == '{' || frame[0] == '[');
  if (json || (!frame.empty() && looks_like_msgpack(frame))) {
    Result<Value> value = json ? msg::decode_json(frame, kLimits) : msg::decode_msgpack_to_show(frame, kLimits);
    if (value) {
      part.kind = json ? BodyPart::Kind::kJson : BodyPart::Kind::kMsgpack;
      part.value = std::move(*value);
      return part;
    }
    if (!json) part.fault = value.error().text;
  }
  part.kind = is_printable(frame) && !frame.empty() ? BodyPart::Kind::kText : BodyPart::Kind::kBytes;
  part.bytes = frame;
  return part;
}

// "params" behind the header of a call, "result" behind that of a reply, nothing for another map. Deliberately less strict than
// the broker: a header with a mistake in it is what somebody wants to see.
std::string_view payload_name(const BodyPart& first) {
  if (first.value.find("id") == nullptr) return {};
  if (first.value.find("method") != nullptr) return "params";
  return first.value.find("status") != nullptr ? "result" : std::string_view();
}

// A call in JSON is one frame: what stands in it under "params" or "result" is shown as MessagePack's second frame is.
void split_json_call(std::vector<BodyPart>& body, std::string_view payload) {
  Value::Map& header = *body[0].value.if_map();
  const auto found =
      std::find_if(header.begin(), header.end(), [&](const auto& entry) { return entry.first == payload; });
  if (found == header.end()) return;
  BodyPart part;
  part.name = payload;
  part.kind = BodyPart::Kind::kJson;
  part.value = std::move(found->second);
  header.erase(found);
  body.insert(body.begin() + 1, std::move(part));
}

std::vector<BodyPart> decode_body(const wire::Frames& frames) {
  std::vector<BodyPart> body;
  for (const wire::Frame& frame : frames) {
    body.push_back(decode_frame(frame));
    body.back().frame = body.size() - 1;
  }
  if (body.empty() || !body[0].value.is_map()) return body;
  const std::string_view payload = payload_name(body[0]);
  if (payload.empty()) return body;
  body[0].name = "header";
  if (body[0].kind == BodyPart::Kind::kJson) {
    if (body.size() == 1) split_json_call(body, payload);
  } else if (body.size() > 1 && body[1].value.is_map()) {
    body[1].name = payload;
  }
  return body;
}

struct Filler {
  DecodedMessage& out;
  void operator()(const wire::mdp::ClientRequest& m) const { out.service = m.service, fill(false, m.body); }
  void operator()(const wire::mdp::ClientReply& m) const { out.service = m.service, fill(false, m.body); }
  void operator()(const wire::mdp::WorkerReady& m) const { out.service = m.service, fill(true, {}); }
  void operator()(const wire::mdp::WorkerRequest& m) const { out.address = m.client_address, fill(true, m.body); }
  void operator()(const wire::mdp::WorkerReply& m) const { out.address = m.client_address, fill(true, m.body); }
  void operator()(const wire::mdp::Heartbeat&) const { fill(true, {}); }
  void operator()(const wire::mdp::Disconnect&) const { fill(true, {}); }
  void fill(bool worker, const wire::Frames& body) const {
    out.worker = worker;
    out.body = decode_body(body);
  }
};

template <class Message>
void take(DecodedMessage& out, const Result<wire::Parsed<Message>>& parsed) {
  if (!parsed) {
    out.fault = parsed.error().text;
    return;
  }
  out.version = parsed->dialect.version == wire::MdpVersion::k01 ? "0.1" : "0.2";
  out.command = wire::command_name(parsed->message);
  std::visit(Filler{out}, parsed->message);
}

}  // namespace

DecodedMessage decode_message(Direction direction, const wire::Frames& frames) {
  DecodedMessage out;
  if (direction == Direction::kToBroker) {
    take(out, wire::parse_at_broker(wire::Frames(frames)));
  } else {
    take(out, wire::parse_from_broker(wire::Frames(frames)));
  }
  if (!out.fault.empty()) out.frames = frames;
  return out;
}

bool is_printable(std::string_view bytes) {
  const auto backslashes = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\\'));
  // Nothing but backslashes became longer: there was nothing to escape.
  return escape_for_log(bytes, std::numeric_limits<std::size_t>::max()).size() == bytes.size() + backslashes;
}

}  // namespace compositord::ctl
