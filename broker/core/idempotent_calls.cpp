#include "broker/core/idempotent_calls.h"

#include <utility>

#include <fmt/format.h>

#include "broker/core/majordomo.h"
#include "common/base/check.h"
#include "common/msg/envelope.h"
#include "common/msg/manifest.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kCallersMax = 64;                 // of one call that is under way
constexpr std::size_t kBytesPerOutcomeMax = 1U << 20U;  // more of one answer is passed on, not kept
constexpr std::string_view kNotKept =
    "this call was carried out before; its answer was too large to be kept and is left out";

// A worker's answer as another caller wants it: with its own id, in its own encoding.
wire::Frames readdressed(const wire::Frames& body, const CallMark& call) {
  Result<msg::Reply> reply = msg::looks_like_call(body) ? msg::parse_reply(body) : fail(Status::kMalformed, {});
  if (!reply || (reply->encoding == call.encoding && reply->header.id == call.id)) return body;
  reply->encoding = call.encoding;
  reply->header.id = call.id;
  return msg::serialize_reply(*reply);
}

// Whether a worker says that it has done nothing, and may later.
bool says_not_done(const wire::Frames& body) {
  if (!msg::looks_like_call(body)) return false;
  const Result<msg::Reply> reply = msg::parse_reply(body);
  return reply && (reply->header.status == to_number(Status::kNotConnected) ||
                   reply->header.status == to_number(Status::kLimit));
}

// Of a body whose parameters can't be read: for a foreign worker they may mean something.
std::string digest_of_bytes(const wire::Frames& body) {
  msg::Value all = msg::Value::array();
  const bool json = msg::encoding_of(body) == msg::Encoding::kJson;
  for (std::size_t i = json ? 0 : 1; i < body.size(); ++i) all.push(msg::Binary{body[i].str()});
  return msg::content_hash(all);
}

}  // namespace

std::string digest_of(const wire::Frames& body) {
  const Result<msg::Call> call = msg::parse_call(body);
  if (!call) return digest_of_bytes(body);
  msg::Value all = msg::Value::map({{"method", call->header.method}, {"params", call->params}});
  msg::Value attachments = msg::Value::array();
  for (const wire::Frame& frame : call->attachments) attachments.push(msg::Binary{frame.str()});
  all.set("attachments", std::move(attachments));
  return msg::content_hash(all);
}

std::optional<std::uint64_t> IdempotentCalls::admit(const Client& client, const CallMark& call, const std::string& idem,
                                                    const wire::Frames& body, Outputs& out) {
  const auto refuse = [&](Status status, std::string text) {
    ++counters_.requests_refused;
    send_reply(client, msg::error_reply(call.encoding, call.id, Error{status, std::move(text)}), counters_, out);
  };
  Key key{client.service, idem};
  std::string digest = digest_of(body);
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) {
    make_room();
    if (calls_.size() >= config_.limits.idem_calls_max) {
      refuse(Status::kLimit, "too many calls with an idem key are under way");
      return std::nullopt;
    }
    const std::uint64_t number = ++last_number_;
    by_key_.emplace(key, number);
    CallEntry& entry = calls_[number];
    entry.key = std::move(key);
    entry.digest = std::move(digest);
    entry.callers.push_back(Caller{client, call});
    return number;
  }
  CallEntry& entry = calls_.at(known->second);
  if (entry.digest != digest) {
    refuse(Status::kConflict, "this idem key was used for a call with another method or other parameters");
    return std::nullopt;
  }
  if (!entry.ended && entry.callers.size() >= kCallersMax) {
    refuse(Status::kLimit, fmt::format("{} callers wait for the outcome of this call already", kCallersMax));
    return std::nullopt;
  }
  ++counters_.idem_repeated;
  const Caller caller{client, call};
  for (const Part& part : entry.parts) tell(caller, part, out);
  if (!entry.ended) entry.callers.push_back(caller);
  return std::nullopt;
}

bool IdempotentCalls::knows(const std::string& service, const std::string& idem) const {
  return by_key_.contains({service, idem});
}

void IdempotentCalls::on_outcome(Outcome&& outcome, Instant now, Outputs& out) {
  const auto it = calls_.find(outcome.key);
  if (it == calls_.end()) return;
  CallEntry& entry = it->second;
  Part part{outcome.final, outcome.carried == Carried::kAnswered, std::move(outcome.body), std::move(outcome.error)};
  const bool not_done = part.final && (part.answered ? says_not_done(part.body) : outcome.carried == Carried::kNo);
  if (!entry.ended) {
    for (const Caller& caller : entry.callers) tell(caller, part, out);
  }
  if (not_done) {
    if (entry.ended) std::erase(ended_, outcome.key);
    return erase(outcome.key);
  }
  if (entry.ended) return keep_late(outcome.key, entry, std::move(part));
  const bool final = part.final;
  keep(outcome.key, entry, std::move(part));
  if (!final) return;
  entry.callers.clear();
  entry.ended = true;
  entry.ended_at = now;
  ended_.push_back(outcome.key);
}

void IdempotentCalls::tell(const Caller& caller, const Part& part, Outputs& out) {
  wire::Frames body;
  if (part.answered) {
    body = readdressed(part.body, caller.call);
  } else if (is_success(part.error.status)) {
    msg::Reply reply;
    reply.encoding = caller.call.encoding;
    reply.header.id = caller.call.id;
    reply.header.status = to_number(part.error.status);
    reply.result = msg::Value::map({{"left_out", part.error.text}});
    body = msg::serialize_reply(reply);
  } else {
    body = msg::serialize_reply(msg::error_reply(caller.call.encoding, caller.call.id, part.error));
  }
  send_body(caller.client, part.final, std::move(body), counters_, out);
}

std::size_t IdempotentCalls::bytes_of(const Part& part) {
  return sizeof(Part) + wire::held_bytes(part.body) + part.error.text.size();
}

// The worker answers after the deadline: until its last part has come, the end that was told stands.
void IdempotentCalls::keep_late(std::uint64_t number, CallEntry& entry, Part&& part) {
  Part end = std::move(entry.parts.back());
  entry.parts.pop_back();
  const std::size_t bytes = entry.too_large ? 0 : bytes_of(end);
  entry.bytes -= bytes;
  bytes_ -= bytes;
  const bool final = part.final;
  keep(number, entry, std::move(part));
  if (!final) keep(number, entry, std::move(end));
}

void IdempotentCalls::keep(std::uint64_t number, CallEntry& entry, Part&& part) {
  const std::size_t bytes = bytes_of(part);
  if (entry.too_large || entry.bytes + bytes > kBytesPerOutcomeMax || !make_room_for(bytes, number)) {
    // Of a large answer only that there was one.
    bytes_ -= std::exchange(entry.bytes, 0);
    entry.parts.clear();
    entry.too_large = true;
    if (!part.final) return;
    if (!part.answered) return entry.parts.push_back(std::move(part));
    const Result<msg::Reply> reply = msg::parse_reply(part.body);
    const Status status = reply ? static_cast<Status>(reply->header.status) : Status::kDone;
    entry.parts.push_back(Part{true, false, {}, Error{status, std::string(kNotKept)}});
    return;
  }
  entry.bytes += bytes;
  bytes_ += bytes;
  entry.parts.push_back(std::move(part));
}

void IdempotentCalls::forget_old(Instant now) {
  while (!ended_.empty()) {
    const auto it = calls_.find(ended_.front());
    if (it != calls_.end() && it->second.ended_at + config_.idem_keep > now) return;
    if (it != calls_.end()) erase(ended_.front());
    ended_.pop_front();
  }
}

void IdempotentCalls::make_room() {
  const Limits& limits = config_.limits;
  while (!ended_.empty() && (calls_.size() >= limits.idem_calls_max || bytes_ > limits.idem_bytes_max)) {
    if (calls_.contains(ended_.front())) erase(ended_.front());
    ended_.pop_front();
  }
}

bool IdempotentCalls::make_room_for(std::size_t bytes, std::uint64_t number) {
  const std::size_t bytes_max = config_.limits.idem_bytes_max;
  while (bytes_ + bytes > bytes_max && !ended_.empty() && ended_.front() != number) {
    if (calls_.contains(ended_.front())) erase(ended_.front());
    ended_.pop_front();
  }
  return bytes_ + bytes <= bytes_max;
}

void IdempotentCalls::erase(std::uint64_t number) {
  const auto it = calls_.find(number);
  CHECK(it != calls_.end());
  bytes_ -= it->second.bytes;
  by_key_.erase(it->second.key);
  calls_.erase(it);
}

bool IdempotentCalls::check_invariants() const {
  std::size_t bytes = 0;
  for (const auto& entry : calls_) {
    bytes += entry.second.bytes;
    if (!entry.second.ended && entry.second.callers.empty()) return false;  // nobody would ever be told
  }
  return bytes == bytes_ && by_key_.size() == calls_.size() && ended_.size() <= calls_.size();
}

}  // namespace compositord::broker
