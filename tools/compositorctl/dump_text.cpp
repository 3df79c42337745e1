#include "tools/compositorctl/dump_text.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "common/base/glob.h"
#include "common/base/log_event.h"
#include "common/base/utf8.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

using msg::Value;

constexpr std::size_t kPeersMax = 100'000;  // more are forgotten and get new names
constexpr std::size_t kBytesShown = 64;     // of a frame that isn't a tree
constexpr std::size_t kJsonShown = 4'096;   // of one that is
constexpr std::size_t kOneLineMax = 100;    // a longer tree has a line for each of its entries
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
constexpr std::string_view kIndent = "    ";

std::string plain_hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::string time_of(std::int64_t unix_us) {
  const std::int64_t us = ((unix_us % 1'000) + 1'000) % 1'000;
  return fmt::format("{}{:03}", time_text(UnixMs{(unix_us - us) / 1'000}), us);
}

std::string indented(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += kIndent;
  }
  return out;
}

std::string tree_text(const Value& value, bool full) {
  std::string json = safe_json(value);
  if (json.size() > kOneLineMax) json = safe_json(value, 2);
  if (full || json.size() <= kJsonShown) return indented(json);
  std::size_t end = kJsonShown;
  while ((static_cast<unsigned char>(json[end]) & 0xc0U) == 0x80U) --end;  // not inside of a character
  return indented(fmt::format("{}\n… {} bytes more, --full shows them", json.substr(0, end), json.size() - end));
}

std::string bytes_text(std::string_view bytes, bool full) {
  return bytes.empty() ? "empty"
                       : fmt::format("{} bytes: {}", bytes.size(), hex_text(bytes, full ? kAll : kBytesShown));
}

std::string part_text(const BodyPart& part, bool full) {
  const std::string place = part.name.empty() ? fmt::format("[{}]", part.frame) : part.name;
  switch (part.kind) {
    case BodyPart::Kind::kMsgpack:
    case BodyPart::Kind::kJson: {
      const std::string_view kind = part.kind == BodyPart::Kind::kJson ? "json" : "msgpack";
      return fmt::format("{} {} {}", place, kind, tree_text(part.value, full));
    }
    case BodyPart::Kind::kText: {
      const bool shortened = !full && part.bytes.size() > kBytesShown;
      return fmt::format("{} text {}\"{}\"", place, shortened ? fmt::format("of {} bytes ", part.bytes.size()) : "",
                         escape_for_log(part.bytes, full ? kAll : kBytesShown));
    }
    case BodyPart::Kind::kBytes: break;
  }
  const std::string why = part.fault.empty() ? "" : fmt::format(" ({})", safe_text(part.fault));
  return fmt::format("{} {}{}", place, bytes_text(part.bytes, full), why);
}

// "MDP 0.2 client REQUEST bus.manifest", "MDP 0.2 worker FINAL echo for 00 6b 8b 45 67".
std::string title_of(const SeenMessage& seen, const DecodedMessage& message) {
  if (seen.too_large) return "too large: dropped, its bytes are not known";
  if (!message.fault.empty()) return "not MDP: " + safe_text(message.fault);
  std::string title =
      fmt::format("MDP {} {} {}", message.version, message.worker ? "worker" : "client", message.command);
  if (!message.service.empty()) title += ' ' + safe_text(message.service);
  if (!message.address.empty()) title += " for client " + hex_text(message.address, kBytesShown);
  return title;
}

std::string text_of(const SeenMessage& seen, const std::string& peer, const DecodedMessage& message, bool full) {
  const bool to_broker = seen.direction == Direction::kToBroker;
  std::string out = fmt::format("{}  {} -> {}  {}\n", time_of(seen.unix_us), to_broker ? peer : "broker",
                                to_broker ? "broker" : peer, title_of(seen, message));
  for (const BodyPart& part : message.body) out += fmt::format("{}{}\n", kIndent, part_text(part, full));
  for (std::size_t i = 0; i < message.frames.size(); ++i) {
    out += fmt::format("{}[{}] {}\n", kIndent, i, bytes_text(message.frames[i], full));
  }
  return out;
}

// A name as text where it is one, so that most can be compared with a string.
Value name_value(std::string_view bytes) { return is_utf8(bytes) ? Value(bytes) : Value("hex:" + plain_hex(bytes)); }

Value part_value(const BodyPart& part) {
  switch (part.kind) {
    case BodyPart::Kind::kMsgpack: return Value::map({{"msgpack", part.value}});
    case BodyPart::Kind::kJson: return Value::map({{"json", part.value}});
    case BodyPart::Kind::kText: return Value::map({{"text", part.bytes}});
    case BodyPart::Kind::kBytes: break;
  }
  Value bytes = Value::map({{"hex", plain_hex(part.bytes)}});
  if (!part.fault.empty()) bytes.set("fault", part.fault);
  return bytes;
}

void add_message(Value& object, const DecodedMessage& message) {
  object.set("mdp", message.version);
  object.set("role", message.worker ? "worker" : "client");
  object.set("command", message.command);
  if (!message.service.empty()) object.set("service", name_value(message.service));
  if (!message.address.empty()) object.set("client_address", plain_hex(message.address));
  Value others = Value::array();
  for (const BodyPart& part : message.body) {
    if (part.name.empty()) {
      others.push(part_value(part));
    } else {
      object.set(part.name, part.value);
    }
  }
  if (!others.if_array()->empty()) object.set("body", std::move(others));
}

std::string json_of(const SeenMessage& seen, const std::string& peer, const DecodedMessage& message) {
  Value object = Value::map({{"time_us", seen.unix_us},
                             {"peer", peer},
                             {"routing_id", plain_hex(seen.peer.value())},
                             {"direction", seen.direction == Direction::kToBroker ? "to-broker" : "from-broker"}});
  if (seen.too_large) {
    object.set("fault", "too large");
  } else if (message.fault.empty()) {
    add_message(object, message);
  } else {
    object.set("fault", message.fault);
    Value frames = Value::array();
    for (const wire::Frame& frame : message.frames) frames.push(plain_hex(frame));
    object.set("frames", std::move(frames));
  }
  return safe_json(object) + '\n';
}

bool holds(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

std::optional<std::string> Dump::lines_of(const SeenMessage& seen) {
  const std::string peer = name_of(seen.peer);
  DecodedMessage message = seen.too_large ? DecodedMessage{} : decode_message(seen.direction, seen.frames);
  fill_in_service(peer, message);
  if (!is_wanted(peer, seen, message)) return std::nullopt;
  if (options_.json) return json_of(seen, peer, message);
  std::string text = text_of(seen, peer, message, options_.full);
  if (!options_.routing_ids || !introduced_.insert(peer).second) return text;
  return fmt::format("{} is the peer {}\n{}", peer, plain_hex(seen.peer.value()), text);
}

std::string Dump::name_of(const wire::RoutingId& peer) {
  const auto known = names_.find(peer);
  if (known != names_.end()) return known->second;
  if (names_.size() >= kPeersMax) {
    names_.clear();
    services_.clear();
    introduced_.clear();
  }
  return names_[peer] = fmt::format("p{}", ++peers_seen_);
}

// Only READY names a worker's service: what follows on its connection belongs to it.
void Dump::fill_in_service(const std::string& peer, DecodedMessage& message) {
  if (!message.worker) return;
  if (message.command == "READY") {
    services_[peer] = message.service;
    return;
  }
  const auto known = services_.find(peer);
  if (known != services_.end()) message.service = known->second;
}

bool Dump::is_wanted(const std::string& peer, const SeenMessage& seen, const DecodedMessage& message) const {
  if (options_.no_heartbeats && message.command == "HEARTBEAT") return false;
  if (!options_.service_glob.empty() && !glob_matches(options_.service_glob, message.service)) return false;
  if (!options_.commands.empty() && !holds(options_.commands, message.command)) return false;
  return options_.peers.empty() || holds(options_.peers, peer) || holds(options_.peers, plain_hex(seen.peer.value()));
}

std::string hex_text(std::string_view bytes, std::size_t bytes_max) {
  std::string out;
  for (std::size_t i = 0; i < std::min(bytes.size(), bytes_max); ++i) {
    out += fmt::format("{}{:02x}", i == 0 ? "" : " ", static_cast<unsigned char>(bytes[i]));
  }
  return bytes.size() > bytes_max ? out + " …" : out;
}

}  // namespace compositord::ctl
