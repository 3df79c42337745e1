#include "broker/core/group_calls.h"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "broker/core/selector.h"
#include "common/base/check.h"
#include "common/msg/envelope.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kScanPage = 500;
constexpr std::size_t kParamsFrame = 1;  // of a call in MessagePack

// What a caller says beside the selector.
struct GroupParams {
  Selector selector;
  std::string method;
  msg::Value params = msg::Value::map();
  std::size_t batch = 0;
  std::size_t max_fail = std::numeric_limits<std::size_t>::max();
};

Result<void> read_count(const msg::Value& params, std::string_view key, std::size_t& count) {
  const msg::Value* value = params.find(key);
  if (value == nullptr || value->is_null()) return {};
  if (value->if_int() == nullptr || *value->if_int() < 0) {
    return fail(Status::kMalformed, fmt::format("{}: a number of targets expected, 0 or more", key));
  }
  count = static_cast<std::size_t>(*value->if_int());
  return {};
}

Result<GroupParams> read_params(const msg::Value& params) {
  GroupParams wanted;
  const msg::Value* selector = params.find("selector");
  if (selector == nullptr) return fail(Status::kMalformed, "selector: missing");
  Result<Selector> parsed = parse_selector(*selector);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  wanted.selector = std::move(*parsed);
  const msg::Value* method = params.find("method");
  if (method == nullptr || !method->is_string()) return fail(Status::kMalformed, "method: a string expected");
  wanted.method = *method->if_string();
  if (const msg::Value* given = params.find("params"); given != nullptr && !given->is_null()) {
    if (!given->is_map()) return fail(Status::kMalformed, "params: a map expected");
    wanted.params = *given;
  }
  for (const Result<void>& read :
       {read_count(params, "batch", wanted.batch), read_count(params, "max_fail", wanted.max_fail)}) {
    if (!read) return tl::unexpected<Error>(read.error());
  }
  return wanted;
}

// Kept as bytes: a tree of values takes up to forty times as many.
wire::Frame params_frame(msg::Value params) {
  msg::Call call;
  call.params = std::move(params);
  return std::move(msg::serialize_call(call).at(kParamsFrame));
}

msg::Reply reply_of(Outcome&& outcome) {
  if (outcome.carried == Carried::kAnswered) {
    Result<msg::Reply> reply = msg::parse_reply(outcome.body);
    if (reply) return std::move(*reply);
    outcome.error = Error{Status::kFailed, "its answer is no reply to a call: " + reply.error().text};
  }
  return msg::error_reply(msg::Encoding::kMsgpack, msg::Value(), outcome.error);
}

}  // namespace

Result<void> GroupCalls::begin(const Client& client, const msg::Call& call, Duration deadline, Instant now,
                               Outputs& out) {
  Result<GroupParams> wanted = read_params(call.params);
  if (!wanted) return tl::unexpected<Error>(wanted.error());
  GroupCall group;
  group.params = params_frame(std::move(wanted->params));
  if (Result<void> room = check_room(client, group.params.size()); !room) return room;
  std::string after;
  for (;;) {
    const std::vector<const Compositor*> page = compositors_.page(after, kScanPage);
    for (const Compositor* c : page) {
      if (matches(wanted->selector, *c)) group.targets.push_back(Target{c->status.id, std::nullopt, {}});
    }
    if (page.size() < kScanPage) break;
    after = page.back()->status.id;
  }
  if (group.targets.empty()) return fail(Status::kNotFound, "the selector matches no compositor");
  if (group.targets.size() > config_.limits.group_targets_max) {
    return fail(Status::kTooLarge, fmt::format("the selector matches {} compositors, more than {}",
                                               group.targets.size(), config_.limits.group_targets_max));
  }
  group.client = client;
  group.call = CallMark{call.encoding, call.header.id};
  group.method = std::move(wanted->method);
  group.batch = wanted->batch == 0 ? group.targets.size() : wanted->batch;
  group.max_fail = wanted->max_fail;
  group.deadline = now + deadline;
  ++counters_.group_calls;
  const std::uint64_t number = ++last_number_;
  bytes_ += group.params.size();
  calls_.emplace(number, std::move(group));
  go_on(number, now, out);
  return {};
}

Result<void> GroupCalls::check_room(const Client& client, std::size_t bytes) const {
  const Limits& limits = config_.limits;
  if (calls_.size() >= limits.group_calls_max) {
    return fail(Status::kLimit, fmt::format("{} group calls are under way already", calls_.size()));
  }
  if (bytes_ + bytes > limits.queued_bytes_max) {
    return fail(Status::kLimit, fmt::format("the parameters of all group calls would have more than {} bytes",
                                            limits.queued_bytes_max));
  }
  std::size_t of_client = bytes;
  for (const auto& entry : calls_) {
    if (entry.second.client.peer == client.peer) of_client += entry.second.params.size();
  }
  if (of_client <= limits.queued_bytes_per_client_max) return {};
  return fail(Status::kLimit, fmt::format("the parameters of this client's group calls would have more than {} bytes",
                                          limits.queued_bytes_per_client_max));
}

void GroupCalls::go_on(std::uint64_t number, Instant now, Outputs& out) {
  GroupCall& group = calls_.at(number);
  while (group.next < group.targets.size() && may_begin(group, now) && group.busy < group.batch) {
    begin_target(number, group, group.next++, now, out);
  }
  if (group.busy == 0) finish(number, out);
}

bool GroupCalls::may_begin(GroupCall& group, Instant now) const {
  if (!group.stopped_by.empty()) return false;
  if (stopping_) {
    group.stopped_by = "not begun: the broker is being stopped";
  } else if (now >= group.deadline) {
    group.stopped_by = "not begun: the deadline passed";
  } else if (group.failed > group.max_fail) {
    group.stopped_by = "not begun: too many targets had failed";
  }
  return group.stopped_by.empty();
}

void GroupCalls::begin_target(std::uint64_t number, GroupCall& group, std::size_t target, Instant now, Outputs& out) {
  const msg::CompositorId id(group.targets[target].id);
  if (!majordomo_.has_agent(id)) {
    const Error error{Status::kNotConnected, fmt::format("the agent of {} is not connected", id.value())};
    return end_target(group, target, msg::error_reply(group.call.encoding, group.call.id, error), out);
  }
  msg::Call call;
  call.header.id = msg::Value(std::int64_t{1});
  call.header.method = group.method;
  call.header.deadline_ms = std::max<std::int64_t>(1, to_ms(group.deadline - now));
  wire::Frames body = msg::serialize_call(call);
  body.at(kParamsFrame) = group.params;
  const std::uint64_t key = ++last_key_;
  busy_.emplace(key, Place{number, target});
  ++group.busy;
  majordomo_.route_call(Client{{}, {}, msg::service_name(id), Origin::kGroupCall, key}, CallMark{}, std::move(body),
                        group.deadline - now, now, out);
}

void GroupCalls::on_outcome(Outcome&& outcome, Instant now, Outputs& out) {
  const auto it = busy_.find(outcome.key);
  if (it == busy_.end()) return;  // it answered after the deadline
  if (!outcome.final) {
    ++counters_.partials_dropped;  // a target's own stream has no place in the group's
    return;
  }
  const Place place = it->second;
  busy_.erase(it);
  GroupCall& group = calls_.at(place.call);
  --group.busy;
  end_target(group, place.target, reply_of(std::move(outcome)), out);
  go_on(place.call, now, out);
}

void GroupCalls::end_target(GroupCall& group, std::size_t index, const msg::Reply& reply, Outputs& out) {
  Target& target = group.targets[index];
  target.status = reply.header.status;
  target.error = reply.header.error.value_or("");
  if (!is_success(static_cast<Status>(reply.header.status))) ++group.failed;
  msg::Reply part;
  part.encoding = group.call.encoding;
  part.header.id = group.call.id;
  part.result = msg::Value::map({{"id", target.id}, {"status", std::int64_t{reply.header.status}}});
  if (!target.error.empty()) part.result.set("error", target.error);
  part.result.set("result", reply.result);
  part.attachments = reply.attachments;
  send_body(group.client, false, msg::serialize_reply(part), counters_, out);
}

void GroupCalls::finish(std::uint64_t number, Outputs& out) {
  const GroupCall group = std::move(calls_.at(number));
  calls_.erase(number);
  bytes_ -= group.params.size();
  std::size_t not_begun = 0;
  msg::Value table = msg::Value::array();
  for (const Target& target : group.targets) {
    msg::Value row = msg::Value::map({{"id", target.id}});
    if (target.status) {
      row.set("status", std::int64_t{*target.status});
      if (!target.error.empty()) row.set("error", target.error);
    } else {
      ++not_begun;
      row.set("status", msg::Value());
      row.set("error", group.stopped_by);
    }
    table.push(std::move(row));
  }
  const std::size_t done = group.targets.size() - group.failed - not_begun;
  const bool all = done == group.targets.size();
  msg::Reply reply;
  reply.encoding = group.call.encoding;
  reply.header.id = group.call.id;
  reply.header.status = to_number(all ? Status::kDone : Status::kPartly);
  if (!all) {
    reply.header.error = fmt::format("{} of {} targets succeeded, {} failed, {} were not begun", done,
                                     group.targets.size(), group.failed, not_begun);
  }
  reply.result = msg::Value::map({{"targets", std::move(table)},
                                  {"done", std::uint64_t{done}},
                                  {"failed", std::uint64_t{group.failed}},
                                  {"not_begun", std::uint64_t{not_begun}}});
  send_reply(group.client, reply, counters_, out);
}

bool GroupCalls::check_invariants() const {
  std::size_t busy = 0;
  std::size_t bytes = 0;
  for (const auto& entry : calls_) {
    if (entry.second.busy == 0) return false;  // it should have ended
    busy += entry.second.busy;
    bytes += entry.second.params.size();
  }
  return busy == busy_.size() && bytes == bytes_;
}

}  // namespace compositord::broker
