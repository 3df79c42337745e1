#include "broker/core/alert_journal.h"

#include <algorithm>
#include <utility>

namespace compositord::broker {

namespace {

// A disk that is slower than that may be broken, and an alert is worth more now than its journal.
constexpr Duration kStoreWait = std::chrono::milliseconds(100);

std::string rest_of_topic(msg::AlertSeverity severity, const msg::Alert& alert) {
  return std::string(name_of(severity)) + "/" + alert.id;
}

}  // namespace

void AlertJournal::tell(AlertRecord record, Telling telling, Now now, Outputs& out) {
  const std::uint64_t commit_id = commit_ids_.next();
  out.store_writes.push_back(StoreWrite{commit_id, std::move(record)});
  waiting_.push_back(Entry{commit_id, now.instant + kStoreWait, std::move(telling), false});
  arm();
}

void AlertJournal::write(AlertRecord record, Outputs& out) {
  out.store_writes.push_back(StoreWrite{commit_ids_.next(), std::move(record)});
}

void AlertJournal::on_stored(std::uint64_t commit_id, Now now, Outputs& out) {
  const auto before = [](const Entry& entry, std::uint64_t id) { return entry.commit_id < id; };
  const auto it = std::lower_bound(waiting_.begin(), waiting_.end(), commit_id, before);
  if (it == waiting_.end() || it->commit_id != commit_id) return;
  it->stored = true;
  while (!waiting_.empty() && waiting_.front().stored) tell_next(now, out);
  arm();
}

void AlertJournal::on_timer(Now now, Outputs& out) {
  timer_ = 0;
  while (!waiting_.empty() && (waiting_.front().stored || waiting_.front().told_until <= now.instant)) {
    tell_next(now, out);
  }
  arm();
}

void AlertJournal::tell_next(Now now, Outputs& out) {
  const Telling telling = std::move(waiting_.front().telling);
  waiting_.pop_front();
  const msg::Value payload = to_value(telling.alert);
  if (telling.left) {
    feed_.publish(FeedKind::kAlert, rest_of_topic(*telling.left, telling.alert), payload, now.calendar, out);
  }
  feed_.publish(FeedKind::kAlert, rest_of_topic(telling.alert.severity, telling.alert), payload, now.calendar, out);
  if (telling.notice) out.notices.push_back(telling.alert);
}

void AlertJournal::repeat(const msg::Alert& alert, UnixMs now, Outputs& out) {
  feed_.publish(FeedKind::kAlert, rest_of_topic(alert.severity, alert), to_value(alert), now, out);
}

void AlertJournal::arm() {
  timers_.cancel(timer_);
  if (!waiting_.empty()) timer_ = timers_.arm(waiting_.front().told_until, TimerKind::kAlertJournal, 0);
}

}  // namespace compositord::broker
