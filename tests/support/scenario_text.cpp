#include "tests/support/scenario_text.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/msg/envelope.h"
#include "common/wire/mdp_codec.h"

namespace compositord::testing {

namespace {

constexpr std::size_t kTextMax = 600;

std::string shorten(std::string text) {
  if (text.size() <= kTextMax) return text;
  return text.substr(0, kTextMax) + fmt::format("… ({} bytes)", text.size());
}

std::string text_of_frame(std::string_view frame) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (frame.size() > 200) return fmt::format("<{} bytes>", frame.size());
  if (std::all_of(frame.begin(), frame.end(), printable)) return fmt::format("\"{}\"", frame);
  std::string hex;
  for (const char c : frame) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

// Of the broker's statistics only the counters that are not zero: the rest would change with every new counter.
msg::Value without_noise(const msg::Value& result) {
  const msg::Value* counters = result.find("counters");
  if (counters == nullptr || counters->if_map() == nullptr) return result;
  msg::Value counted = msg::Value::map();
  for (const auto& [name, count] : *counters->if_map()) {
    if (count.if_int() != nullptr && *count.if_int() != 0) counted.set(name, count);
  }
  return msg::Value::map({{"counters", std::move(counted)}});
}

std::string text_of_body(const wire::Frames& body) {
  const Result<msg::Reply> reply = msg::looks_like_call(body) ? msg::parse_reply(body) : fail(Status::kMalformed, {});
  if (!reply) return text_of_frames(body);
  std::string text = fmt::format("{} #{}", reply->header.status, msg::encode_json(reply->header.id));
  if (reply->encoding == msg::Encoding::kJson) text += " json";
  if (reply->header.error) text += " \"" + *reply->header.error + "\"";
  if (reply->header.age_ms) text += fmt::format(" age_ms={}", *reply->header.age_ms);
  if (!reply->result.if_map()->empty()) text += " " + msg::encode_json(without_noise(reply->result));
  return shorten(text);
}

std::string string_at(const msg::Value& value, std::string_view key) {
  const msg::Value* found = value.find(key);
  if (found == nullptr) return "?";
  return found->is_string() ? *found->if_string() : msg::encode_json(*found);
}

std::string text_of_status(const msg::Value& status) {
  std::string text = string_at(status, "verdict") + " " + string_at(status, "summary");
  for (const char* fact : {"link", "process", "progress"}) {
    if (const msg::Value* found = status.find(fact)) text += fmt::format(" {}={}", fact, string_at(*found, "state"));
  }
  if (const std::string layer = string_at(status, "layer"); !layer.empty()) {
    text += fmt::format(" layer={} \"{}\"", layer, string_at(status, "reason"));
  }
  return text;
}

std::string text_of_payload(std::string_view kind, const msg::Value& payload) {
  if (kind == "status") return text_of_status(payload);
  if (kind == "alert") {
    std::string text = fmt::format("{} {} {} {} \"{}\" since={} at={} change={}", string_at(payload, "state"),
                                   string_at(payload, "severity"), string_at(payload, "kind"),
                                   string_at(payload, "about"), string_at(payload, "text"), string_at(payload, "since"),
                                   string_at(payload, "at"), string_at(payload, "change"));
    for (const char* key : {"suppressed_by", "silenced_by"}) {
      if (const std::string by = string_at(payload, key); !by.empty()) text += fmt::format(" {}={}", key, by);
    }
    return text;
  }
  if (kind == "output") return string_at(payload, "state");
  return msg::encode_json(payload);
}

struct SendNamer {
  std::string operator()(const wire::mdp::ClientReply& m) const {
    return fmt::format("{} {} {}", m.final ? "FINAL" : "PARTIAL", m.service, text_of_body(m.body));
  }
  std::string operator()(const wire::mdp::WorkerRequest& m) const {
    const auto token = static_cast<unsigned>(static_cast<unsigned char>(m.client_address.back()));
    return fmt::format("REQUEST [{}] {}", token, text_of_frames(m.body));
  }
  std::string operator()(const wire::mdp::Heartbeat&) const { return "HEARTBEAT"; }
  std::string operator()(const wire::mdp::Disconnect&) const { return "DISCONNECT"; }
};

}  // namespace

std::string text_of_frames(const wire::Frames& frames) {
  std::string text;
  for (const wire::Frame& frame : frames) text += (text.empty() ? "" : " ") + text_of_frame(frame);
  return text.empty() ? "(no frames)" : text;
}

std::string command_of(const broker::Send& send) {
  const auto parsed = wire::parse_from_broker(wire::Frames(send.frames));
  return parsed ? std::string(wire::command_name(parsed->message)) : "?";
}

std::string text_of(const broker::Send& send) {
  const std::string peer = send.peer.value() + " < ";
  const auto parsed = wire::parse_from_broker(wire::Frames(send.frames));
  if (!parsed) return peer + "? " + text_of_frames(send.frames);
  std::string dialect;
  if (parsed->dialect.version == wire::MdpVersion::k01) dialect += "0.1 ";
  if (parsed->dialect.delimiter) dialect += "'' ";
  return peer + dialect + std::visit(SendNamer{}, parsed->message);
}

std::string text_of(const wire::Frames& published) {
  if (published.size() != 3) return "publish " + text_of_frames(published);
  const std::string topic = published[0].str();
  const bool json = topic.starts_with("json/");
  const Result<msg::Value> header = json ? msg::decode_json(published[1]) : msg::decode_msgpack(published[1]);
  const Result<msg::Value> payload = json ? msg::decode_json(published[2]) : msg::decode_msgpack(published[2]);
  if (!header || !payload) return "publish " + text_of_frames(published);
  return fmt::format("publish {} seq={} {}", topic, string_at(*header, "seq"),
                     shorten(text_of_payload(string_at(*header, "kind"), *payload)));
}

std::string text_of(const broker::StoreWrite& write) {
  if (const auto* job = std::get_if<broker::JobRecord>(&write.record)) {
    return fmt::format("store {} job {} {} attempts={} status={}{}", write.commit_id,
                       job->id.substr(job->id.size() - 4), msg::name_of(job->state), job->attempts, job->status,
                       job->erased ? " erased" : "");
  }
  if (const auto* alert = std::get_if<broker::AlertRecord>(&write.record)) {
    return fmt::format("store {} alert {} {} {}", write.commit_id, alert->id.substr(alert->id.size() - 4),
                       alert->subject,
                       alert->erased   ? "erased"
                       : alert->active ? "fires"
                                       : "ended");
  }
  if (const auto* window = std::get_if<broker::WindowRecord>(&write.record)) {
    return fmt::format("store {} {}{}", write.commit_id, window->id, window->erased ? " erased" : "");
  }
  const auto* found = std::get_if<broker::CompositorRecord>(&write.record);
  if (found == nullptr) return "store history " + broker::key_of(write.record);
  const broker::CompositorRecord& compositor = *found;
  return fmt::format("store {} {} revision={} manifest={} bytes", write.commit_id, compositor.id, compositor.revision,
                     compositor.manifest.size());
}

}  // namespace compositord::testing
