// What bus.admin changes of the running broker: the log's level, and the configuration when it was read again.
// Source: schemas/PROTOCOL.md "Administration".

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "broker/core/broker_core.h"
#include "broker/core/page_params.h"

namespace compositord::broker {

namespace {

// That are under way, each with somebody who waits for it.
constexpr std::size_t kReloadsMax = 16;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

msg::Value list_of(const std::vector<std::string>& texts) {
  msg::Value list = msg::Value::array();
  for (const std::string& text : texts) list.push(text);
  return list;
}

}  // namespace

void BrokerCore::call_admin(const Client& client, const msg::Call& call, const BusContext& bus, Outputs& out) {
  if (call.header.method == "log.level") return answer(client, call, call_log_level(call.params, out), out);
  if (call.header.method == "reload") return begin_reload(client, call, bus.now.instant, out);
  answer(client, call, call_admin_service(bus, call), out);
}

Result<Answer> BrokerCore::call_log_level(const msg::Value& params, Outputs& out) {
  const Result<std::string> wanted = read_text(params, "level");
  if (!wanted) return tl::unexpected<Error>(wanted.error());
  const msg::Value* given = params.find("level");
  if (given != nullptr && !given->is_null()) {
    const std::optional<Severity> level = severity_from_name(*wanted);
    if (!level) {
      return fail(Status::kMalformed, fmt::format("level: debug, info, warning or error expected, not \"{}\"",
                                                  escape_for_log(*wanted, 64)));
    }
    set_log_level(*level, "bus.admin log.level", out);
  }
  Answer answer;
  answer.result = msg::Value::map(
      {{"level", std::string(severity_name(log_level_))}, {"configured", std::string(config_.log_level)}});
  return answer;
}

void BrokerCore::set_log_level(Severity level, std::string why, Outputs& out) {
  if (level == log_level_) return;
  out.log_levels.push_back(level);
  out.log.push_back(LogEvent(Severity::kInfo, "log.level_changed")
                        .with("from", std::string(severity_name(log_level_)))
                        .with("to", std::string(severity_name(level)))
                        .with("why", std::move(why)));
  log_level_ = level;
}

void BrokerCore::begin_reload(const Client& client, const msg::Call& call, Instant now, Outputs& out) {
  if (pending_reloads_.size() >= kReloadsMax) {
    const Error error{Status::kLimit, fmt::format("{} reloads are under way already", pending_reloads_.size())};
    return refuse(client, call.encoding, call.header.id, error, out);
  }
  PendingReload pending{client, call, now + deadline_of(call.header)};
  pending.call.params = msg::Value();  // may be long, and say nothing
  pending_reloads_.emplace(++last_reload_, std::move(pending));
  out.reloads.push_back(last_reload_);
}

void BrokerCore::on(input::Reloaded& reloaded, Instant now, Outputs& out) {
  const auto pending = pending_reloads_.find(reloaded.reload_id);
  const bool is_awaited = pending != pending_reloads_.end();
  if (!reloaded.result) {
    const Error& error = reloaded.result.error();
    out.log.push_back(LogEvent(Severity::kError, "config.refused").with("why", first_line(error.text)));
    if (is_awaited)
      refuse(pending->second.client, pending->second.call.encoding, pending->second.call.header.id, error, out);
  } else {
    Answer taken;
    taken.result = msg::Value::map(
        {{"applied", list_of(reloaded.result->applied)}, {"restart", list_of(reloaded.result->restart)}});
    take_config(std::move(*reloaded.result), now, out);
    if (is_awaited) answer(pending->second.client, pending->second.call, taken, out);
  }
  if (is_awaited) pending_reloads_.erase(pending);
}

// All parts look at config_ when they decide; what is under way keeps what it began with.
void BrokerCore::take_config(input::Reloaded::Taken&& taken, Instant now, Outputs& out) {
  config_ = std::move(taken.config);
  feed_.set_limits(config_.limits);
  majordomo_.set_limits(config_.limits);
  out.log.push_back(LogEvent(Severity::kInfo, "config.reloaded")
                        .with("applied", fmt::format("{}", fmt::join(taken.applied, ", ")))
                        .with("restart", fmt::format("{}", fmt::join(taken.restart, ", "))));
  set_log_level(severity_from_name(config_.log_level).value_or(Severity::kInfo), "reload", out);
  compositors_.judge_clocks(both(now), out);
}

void BrokerCore::end_reloads(Instant until, const Error& error, Outputs& out) {
  for (auto it = pending_reloads_.begin(); it != pending_reloads_.end();) {
    const PendingReload& pending = it->second;
    if (pending.deadline > until) {
      ++it;
      continue;
    }
    refuse(pending.client, pending.call.encoding, pending.call.header.id, error, out);
    it = pending_reloads_.erase(it);
  }
}

}  // namespace compositord::broker
