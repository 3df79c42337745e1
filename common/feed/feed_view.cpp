#include "common/feed/feed_view.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::feed {

namespace {

// Of alerts that ended during one snapshot; more, and it is begun anew.
constexpr std::size_t kEndedMax = 100'000;

std::uint64_t at_or_0(const Seqs& seqs, std::string_view kind) {
  const auto it = seqs.find(kind);
  return it == seqs.end() ? 0 : it->second;
}

}  // namespace

FeedView::FeedView(const std::vector<std::string>& kinds, Limits limits) : limits_(limits) {
  for (const std::string& kind : kinds) last_seqs_[kind] = 0;
}

Completeness FeedView::completeness() const {
  Completeness known = complete_;
  known.complete = state_ == State::kLive && !left_out_;
  return known;
}

void FeedView::handshake_started(std::string hello_topic) {
  hello_topic_ = std::move(hello_topic);
  state_ = State::kNoHello;
}

void FeedView::on_message(const FeedMessage& message, FeedOutputs& out) {
  if (!hello_topic_.empty() && message.topic == hello_topic_) {
    if (state_ == State::kNoHello) return on_hello(message, out);
    out.notes.emplace_back("connected to the feed again");
    return begin_again(out);
  }
  if (state_ == State::kNoHello) return;
  if (message.epoch != epoch_) return begin_again(out);  // its hello will say the new epoch
  if (message.topic == kTickTopic) return compare_seqs(message, out);
  if (!follow_seq(message, out)) return;
  if (message.kind == "status") return on_status(message, out);
  if (message.kind == "alert") return on_alert(message, out);
}

void FeedView::on_hello(const FeedMessage& message, FeedOutputs& out) {
  const bool first = epoch_ == 0;
  const Seqs seqs = read_seqs(message.payload);
  // A broker that lost its store within the second in which it began has the same epoch again; its seqs tell.
  const bool went_back = std::any_of(last_seqs_.begin(), last_seqs_.end(),
                                     [&](const auto& last) { return at_or_0(seqs, last.first) < last.second; });
  if (message.epoch != epoch_ || went_back) new_epoch(message.epoch, out);
  // Everything up to here was published before our subscriptions were in force. At the first hello that is the past; later it
  // is what was missed in between.
  for (auto& [kind, last] : last_seqs_) {
    const std::uint64_t published = at_or_0(seqs, kind);
    if (!first && published > last && kind == "alert") gap(kind, published - last, published, out);
    last = published;
    missed_[kind] = published;
  }
  proved_at_ = message.time;
  ended_.clear();
  state_ = State::kNoSnapshot;
  out.take_snapshot = true;
}

void FeedView::begin_again(FeedOutputs& out) {
  state_ = State::kNoHello;
  out.start_handshake = true;
  out.take_snapshot = false;
}

void FeedView::new_epoch(std::uint64_t epoch, FeedOutputs& out) {
  if (epoch_ != 0) {
    out.notes.push_back(
        fmt::format("the broker was restarted (epoch {} → {}); reading everything again", epoch_, epoch));
  }
  epoch_ = epoch;
  for (auto& [kind, last] : last_seqs_) last = 0;
  // What was known stays, to be compared with what is new.
  for (auto& [id, entry] : statuses_) entry.seq = 0;
  for (auto& [id, entry] : alerts_) entry.seq = 0;
}

bool FeedView::follow_seq(const FeedMessage& message, FeedOutputs& out) {
  const auto it = last_seqs_.find(message.kind);
  if (it == last_seqs_.end()) return true;
  if (message.seq <= it->second) return false;
  const std::uint64_t missed = message.seq - it->second - 1;
  it->second = message.seq;
  if (missed > 0) gap(message.kind, missed, message.seq - 1, out);
  return true;
}

void FeedView::compare_seqs(const FeedMessage& tick, FeedOutputs& out) {
  const Seqs seqs = read_seqs(tick.payload);
  for (auto& [kind, last] : last_seqs_) {
    const std::uint64_t published = at_or_0(seqs, kind);
    if (published <= last) continue;
    const std::uint64_t missed = published - last;
    last = published;
    gap(kind, missed, published, out);
  }
  proved_at_ = tick.time;
  if (state_ == State::kLive) proved(tick.time);
}

void FeedView::proved(UnixMs time) {
  if (!left_out_) complete_ = Completeness{true, epoch_, last_seqs_, time};
}

void FeedView::gap(const std::string& kind, std::uint64_t missed, std::uint64_t last, FeedOutputs& out) {
  out.notes.push_back(fmt::format("{} {} message(s) were missed; reading everything again", missed, kind));
  if (state_ == State::kLive) missed_ = last_seqs_;  // a snapshot from before would bring back what has ended since
  missed_[kind] = last;
  state_ = State::kNoSnapshot;
  out.take_snapshot = true;
}

void FeedView::unreadable(std::string_view what, std::string_view why, FeedOutputs& out) {
  left_out_ = true;
  out.notes.push_back(fmt::format("{} could not be {}", what, why));
}

void FeedView::on_status(const FeedMessage& message, FeedOutputs& out) {
  Result<msg::Status> status = msg::from_value<msg::Status>(message.payload);
  if (!status) return unreadable("a status", "understood: " + status.error().text, out);
  const auto it = statuses_.find(status->id);
  if (it == statuses_.end() && statuses_.size() >= limits_.statuses_max) {
    return unreadable("the status of " + status->id, "kept: there are too many", out);
  }
  StatusChange change{*status, std::nullopt, message.time, message.seq, false};
  if (it != statuses_.end()) {
    if (message.seq <= it->second.seq) return;  // the snapshot was newer
    change.before = std::move(it->second.status);
  }
  statuses_[change.status.id] = Snapshot::Entry{message.seq, std::move(*status)};
  out.changes.push_back(std::move(change));
}

void FeedView::on_alert(const FeedMessage& message, FeedOutputs& out) {
  Result<msg::Alert> alert = msg::from_value<msg::Alert>(message.payload);
  if (!alert) return unreadable("an alert", "understood: " + alert.error().text, out);
  apply(AlertChange{std::move(*alert), message.seq, false}, out);
}

void FeedView::apply(AlertChange&& change, FeedOutputs& out) {
  const msg::Alert& alert = change.alert;
  const auto it = alerts_.find(alert.alert);
  if (it != alerts_.end() && it->second.alert.change >= alert.change) return;
  if (alert.state == msg::AlertState::kResolved) {
    if (it != alerts_.end()) alerts_.erase(it);
    if (state_ == State::kNoSnapshot) ended_.insert(alert.alert);
  } else if (it == alerts_.end() && alerts_.size() >= limits_.alerts_max) {
    return unreadable("the alert " + alert.alert, "kept: there are too many", out);
  } else {
    alerts_.insert_or_assign(alert.alert, FiringAlert{change.seq, alert});
  }
  out.alerts.push_back(std::move(change));
  if (ended_.size() > kEndedMax) begin_again(out);
}

void FeedView::on_snapshot(const Snapshot& snapshot, FeedOutputs& out) {
  if (state_ != State::kNoSnapshot) return;
  if (snapshot.epoch != epoch_) return begin_again(out);
  const auto reaches = [&](const auto& missed) { return at_or_0(snapshot.seqs, missed.first) >= missed.second; };
  if (!std::all_of(missed_.begin(), missed_.end(), reaches)) {
    out.take_snapshot = true;
    return;
  }
  left_out_ = false;
  if (last_seqs_.contains("status")) take_statuses(snapshot, out);
  if (last_seqs_.contains("alert")) take_alerts(snapshot, out);
  missed_.clear();
  ended_.clear();
  state_ = State::kLive;
  proved(proved_at_);
}

void FeedView::take_statuses(const Snapshot& snapshot, FeedOutputs& out) {
  std::set<std::string_view> known;
  for (const Snapshot::Entry& entry : snapshot.statuses) {
    known.insert(entry.status.id);
    const auto it = statuses_.find(entry.status.id);
    if (it == statuses_.end() && statuses_.size() >= limits_.statuses_max) {
      unreadable("the status of " + entry.status.id, "kept: there are too many", out);
      continue;
    }
    StatusChange change{entry.status, std::nullopt, entry.status.since, entry.seq, true};
    if (it != statuses_.end()) {
      if (entry.seq < it->second.seq) continue;
      change.before = std::move(it->second.status);
    }
    statuses_[entry.status.id] = entry;
    if (!change.before || looks_different(*change.before, change.status)) out.changes.push_back(std::move(change));
  }
  // What was published after the snapshot was begun may be of one that registered then.
  const std::uint64_t seq = at_or_0(snapshot.seqs, "status");
  for (auto it = statuses_.begin(); it != statuses_.end();) {
    if (it->second.seq > seq || known.contains(it->first)) {
      ++it;
      continue;
    }
    out.forgotten.push_back(it->first);
    it = statuses_.erase(it);
  }
}

void FeedView::take_alerts(const Snapshot& snapshot, FeedOutputs& out) {
  std::set<std::string_view> firing;
  for (const msg::Alert& alert : snapshot.alerts) {
    firing.insert(alert.alert);
    if (!ended_.contains(alert.alert)) apply(AlertChange{alert, 0, true}, out);
  }
  const std::uint64_t seq = at_or_0(snapshot.seqs, "alert");
  for (auto it = alerts_.begin(); it != alerts_.end();) {
    if (it->second.seq > seq || firing.contains(it->first)) {
      ++it;
      continue;
    }
    out.ended.push_back(std::move(it->second.alert));
    it = alerts_.erase(it);
  }
}

bool looks_different(const msg::Status& a, const msg::Status& b) {
  const auto same_output = [](const msg::OutputFact& x, const msg::OutputFact& y) {
    return x.name == y.name && x.state == y.state;
  };
  return a.verdict != b.verdict || a.reason != b.reason || a.link.state != b.link.state ||
         a.process.state != b.process.state || a.progress.state != b.progress.state ||
         !std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same_output);
}

}  // namespace compositord::feed
