// Who is told of an alert: the store, the feed, and people.

#include <utility>

#include "broker/core/alert_engine.h"

#include <fmt/format.h>

namespace compositord::broker {

namespace {

// People are told that it fires, that it became worse, and how it ended: of each life that nobody hid from them.
bool wants_notice(const AlertLife& life, std::optional<msg::AlertSeverity> told_as) {
  const msg::Alert& alert = life.alert;
  if (alert.state == msg::AlertState::kResolved) return life.notice > 0;
  if (!alert.silenced_by.empty() || !alert.suppressed_by.empty()) return false;
  return life.notice == 0 || (told_as && alert.severity > *told_as);
}

}  // namespace

void AlertEngine::tell(AlertLife& life, std::optional<msg::AlertSeverity> told_as, Now now, Outputs& out) {
  msg::Alert& alert = life.alert;
  ++alert.change;
  alert.at = now.calendar;
  const bool notice = wants_notice(life, told_as);
  if (notice) life.notice = alert.change;
  const bool moved = life.told && told_as && *told_as != alert.severity;
  life.told = true;
  journal_.tell(record_of(life), {alert, moved ? told_as : std::nullopt, notice}, now, out);
}

AlertRecord AlertEngine::record_of(const AlertLife& life) {
  AlertRecord record;
  record.id = life.alert.alert;
  record.subject = life.alert.id;
  record.about = life.alert.about;
  record.active = life.alert.state == msg::AlertState::kFiring;
  record.since = life.alert.since;
  record.document = msg::encode_canonical(to_value(life.alert));
  record.notice = life.notice;
  record.delivered = life.delivered;
  return record;
}

void AlertEngine::remember(AlertLife&& life, Outputs& out) {
  const std::string id = life.alert.alert;
  ended_.insert_or_assign(id, std::move(life));
  while (ended_.size() > config_.history_max) {
    AlertRecord oldest;
    oldest.id = ended_.begin()->first;
    oldest.erased = true;
    journal_.write(std::move(oldest), out);
    ended_.erase(ended_.begin());
  }
}

void AlertEngine::store_all(Outputs& out) {
  for (const auto& [alert, life] : ended_) journal_.write(record_of(life), out);
  for (const auto& [alert, key] : by_id_) {
    const AlertLife& life = *tracks_.at(key).life;
    if (life.told) journal_.write(record_of(life), out);
  }
  windows_.store_all(out);
}

void AlertEngine::on_notice_done(const std::string& id, std::uint64_t change, Outputs& out) {
  AlertLife* life = nullptr;
  if (const auto active = by_id_.find(id); active != by_id_.end()) {
    life = &*tracks_.at(active->second).life;
  } else if (const auto ended = ended_.find(id); ended != ended_.end()) {
    life = &ended->second;
  }
  if (life == nullptr || change <= life->delivered || change > life->notice) return;
  life->delivered = change;
  journal_.write(record_of(*life), out);
}

Result<void> AlertEngine::acknowledge(const std::string& id, msg::AlertAck ack, Now now, Outputs& out) {
  const auto active = by_id_.find(id);
  if (active == by_id_.end()) {
    if (ended_.contains(id)) return fail(Status::kConflict, fmt::format("the alert {} is resolved already", id));
    return fail(Status::kNotFound, fmt::format("there is no alert {}", escape_for_log(id, 64)));
  }
  AlertLife& life = *tracks_.at(active->second).life;
  life.alert.acked = std::move(ack);
  tell(life, life.alert.severity, now, out);
  return {};
}

}  // namespace compositord::broker
