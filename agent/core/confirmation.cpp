#include "agent/core/confirmation.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

constexpr std::string_view kWithin = "confirm_within_ms";

void copy(const msg::Value& from, std::string_view key, msg::Value& to, std::string_view as) {
  const msg::Value* value = from.find(key);
  if (value != nullptr && !value->is_null()) to.set(as, *value);
}

void copy(const msg::Value& from, std::string_view key, msg::Value& to) { copy(from, key, to, key); }

bool is_on(const msg::Value& output) {
  const msg::Value* mode = output.find("current_mode");
  return mode != nullptr && mode->is_map();
}

void copy_mode(const msg::Value& output, msg::Value& to) {
  if (!is_on(output)) return;
  const msg::Value& mode = *output.find("current_mode");
  copy(mode, "width_px", to);
  copy(mode, "height_px", to);
  const msg::Value* refresh = mode.find("refresh_mhz");
  if (refresh != nullptr && !(*refresh == msg::Value(0)))
    to.set("refresh_mhz", *refresh);  // 0: the compositor doesn't say
}

msg::Value whole_output(const msg::Value& before) {
  msg::Value entry = msg::Value::map();
  copy(before, "name", entry, "output");
  entry.set("enabled", is_on(before));
  if (!is_on(before)) return entry;
  copy_mode(before, entry);
  for (const char* key : {"scale", "x", "y", "transform"}) copy(before, key, entry);
  return entry;
}

}  // namespace

OppositeCommand opposite_of(const std::string& method, const msg::Value& before) {
  if (const msg::Value::Array* outputs = before.if_array()) {
    msg::Value list = msg::Value::array();
    for (const msg::Value& output : *outputs) list.push(whole_output(output));
    return {method, msg::Value::map({{"outputs", std::move(list)}})};
  }
  msg::Value params = msg::Value::map();
  copy(before, "name", params, "output");
  const bool was_on = is_on(before);
  if (method == "output.power") {
    copy(before, "powered", params, "on");
    return {method, std::move(params)};
  }
  if (!was_on) return {"output.disable", std::move(params)};  // a mode, too, can switch an output on
  if (method == "output.disable") return {"output.enable", std::move(params)};
  if (method == "output.mode") copy_mode(before, params);
  if (method == "output.scale") copy(before, "scale", params);
  if (method == "output.transform") copy(before, "transform", params);
  if (method == "output.position") {
    copy(before, "x", params);
    copy(before, "y", params);
  }
  return {method, std::move(params)};
}

Result<std::optional<Duration>> Confirmation::take_within(const std::string& method, msg::Value& params) {
  msg::Value::Map* map = params.if_map();
  const msg::Value* value = params.find(kWithin);
  if (map == nullptr || value == nullptr) return std::optional<Duration>();
  // What was not there has no state before that could be brought back, and no compositor here takes an output away again.
  if (!method.starts_with("output.") || method == "output.add") {
    return fail(Status::kMalformed, fmt::format("{}: {} changes nothing that could be taken back", kWithin, method));
  }
  const std::int64_t* ms = value->if_int();
  if (ms == nullptr || *ms < to_ms(kWithinMin) || *ms > to_ms(kWithinMax)) {
    return fail(Status::kMalformed,
                fmt::format("{}: an integer in {}…{} expected", kWithin, to_ms(kWithinMin), to_ms(kWithinMax)));
  }
  const Duration within = std::chrono::milliseconds(*ms);
  std::erase_if(*map, [](const auto& entry) { return entry.first == kWithin; });
  return std::optional<Duration>(within);
}

std::string Confirmation::obstacle(Instant now) const {
  switch (state_) {
    case State::kNone: return {};
    case State::kAtWork: return fmt::format("an {} that is to be confirmed is being carried out", method_);
    case State::kOpen:
      return fmt::format("an {} waits for output.confirm, and is taken back in {:.1f} s without it", method_,
                         static_cast<double>(to_ms(until_ > now ? until_ - now : Duration{})) / 1e3);
    case State::kTakingBack: return fmt::format("an {} that nobody confirmed is being taken back", method_);
  }
  return {};
}

void Confirmation::begin(std::uint64_t command_id, const std::string& method, Duration within) {
  state_ = State::kAtWork;
  command_id_ = command_id;
  method_ = method;
  within_ = within;
}

void Confirmation::finished(driver_event::CommandFinished& finished, Instant now, Outputs& out) {
  if (state_ == State::kNone || finished.command_id != command_id_) return;
  if (state_ == State::kTakingBack) return taken_back(finished, out);
  state_ = State::kNone;
  const msg::Value* before = finished.result.find("before");
  if (before == nullptr) return;  // it ended before anything was sent
  const msg::Value* after = finished.result.find("after");
  if (after != nullptr && *after == *before) return;
  before_ = *before;
  state_ = State::kOpen;
  // What went wrong half-way, or may yet happen, is no state that anybody wants to confirm.
  until_ = finished.status == Status::kDone ? now + within_ : now;
  if (finished.status == Status::kDone) finished.result.set(kWithin, to_ms(within_));
}

Result<std::string> Confirmation::confirm() {
  if (state_ != State::kOpen) return fail(Status::kConflict, "no change of an output waits for a confirmation");
  state_ = State::kNone;
  return method_;
}

std::optional<Execute> Confirmation::take_back(std::uint64_t command_id, Instant now, Duration allowed, Outputs& out) {
  if (state_ != State::kOpen || now < until_) return std::nullopt;
  state_ = State::kTakingBack;
  command_id_ = command_id;
  OppositeCommand opposite = opposite_of(method_, before_);
  out.log.push_back(
      LogEvent(Severity::kWarning, "output.not_confirmed").with("method", method_).with("does", opposite.method));
  return Execute{command_id, std::move(opposite.method), std::move(opposite.params), now + allowed};
}

void Confirmation::taken_back(const driver_event::CommandFinished& finished, Outputs& out) {
  state_ = State::kNone;
  const msg::Value* after = finished.result.find("after");
  const bool differs = after != nullptr && !(*after == before_);
  if (is_success(finished.status) && !differs) {
    out.log.push_back(LogEvent(Severity::kInfo, "output.taken_back").with("method", method_));
    return;
  }
  LogEvent event(Severity::kError, "output.not_taken_back");
  event.with("method", method_).with("status", std::to_string(to_number(finished.status)));
  event.with("why", finished.error.empty() ? "the compositor has made something else of it" : finished.error);
  event.with("before", msg::encode_json(before_));
  if (differs) event.with("after", msg::encode_json(*after));
  out.log.push_back(std::move(event));
}

void Confirmation::forget(Outputs& out) {
  if (state_ == State::kOpen || state_ == State::kTakingBack) {
    out.log.push_back(LogEvent(Severity::kWarning, "output.not_taken_back")
                          .with("method", method_)
                          .with("why", "the compositor is gone, and the change with it"));
  }
  state_ = State::kNone;
}

}  // namespace compositord::agent
