#include "tools/compositorctl/feed_view.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace compositord::ctl {

FeedView::FeedView(const std::vector<std::string>& kinds) {
  for (const std::string& kind : kinds) last_seqs_[kind] = 0;
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
  if (message.topic == kTickTopic) return compare_seqs(message.payload, out);
  if (!follow_seq(message, out)) return;
  if (message.kind == "status") return on_status(message, out);
  if (message.kind != "alert") return;
  Result<msg::Alert> alert = msg::from_value<msg::Alert>(message.payload);
  if (!alert) {
    out.notes.push_back(fmt::format("an alert could not be understood: {}", alert.error().text));
    return;
  }
  out.alerts.push_back(AlertChange{std::move(*alert), message.seq});
}

void FeedView::on_hello(const FeedMessage& message, FeedOutputs& out) {
  const bool first = epoch_ == 0;
  if (message.epoch != epoch_) new_epoch(message.epoch, out);
  // Everything up to here was published before our subscriptions were in force. At the first hello that is the past; later it
  // is what was missed in between.
  const msg::Value* seqs = message.payload.find("seqs");
  for (auto& [kind, last] : last_seqs_) {
    const msg::Value* seq = seqs == nullptr ? nullptr : seqs->find(kind);
    const std::int64_t* number = seq == nullptr ? nullptr : seq->if_int();
    if (number == nullptr || *number < 0) continue;
    const auto published = static_cast<std::uint64_t>(*number);
    // What statuses were missed, the snapshot tells.
    if (!first && published > last && kind == "alert") gap(kind, published - last, out);
    last = published;
  }
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
  for (auto& [id, entry] : entries_) entry.seq = 0;  // the statuses stay, to be compared with the new ones
}

bool FeedView::follow_seq(const FeedMessage& message, FeedOutputs& out) {
  const auto it = last_seqs_.find(message.kind);
  if (it == last_seqs_.end()) return true;
  if (message.seq <= it->second) return false;
  const std::uint64_t missed = message.seq - it->second - 1;
  it->second = message.seq;
  if (missed > 0) gap(message.kind, missed, out);
  return true;
}

void FeedView::compare_seqs(const msg::Value& payload, FeedOutputs& out) {
  const msg::Value* seqs = payload.find("seqs");
  for (auto& [kind, last] : last_seqs_) {
    const msg::Value* seq = seqs == nullptr ? nullptr : seqs->find(kind);
    const std::int64_t* number = seq == nullptr ? nullptr : seq->if_int();
    if (number == nullptr || *number < 0 || static_cast<std::uint64_t>(*number) <= last) continue;
    const std::uint64_t missed = static_cast<std::uint64_t>(*number) - last;
    last = static_cast<std::uint64_t>(*number);
    gap(kind, missed, out);
  }
}

void FeedView::gap(const std::string& kind, std::uint64_t missed, FeedOutputs& out) {
  if (kind == "alert") {
    out.notes.push_back(fmt::format("{} alert message(s) were missed; the statuses are read again", missed));
  } else {
    out.notes.push_back(fmt::format("{} {} message(s) were missed; reading everything again", missed, kind));
  }
  state_ = State::kNoSnapshot;
  out.take_snapshot = true;
}

void FeedView::on_status(const FeedMessage& message, FeedOutputs& out) {
  Result<msg::Status> status = msg::from_value<msg::Status>(message.payload);
  if (!status) {
    out.notes.push_back(fmt::format("a status could not be understood: {}", status.error().text));
    return;
  }
  const auto it = entries_.find(status->id);
  StatusChange change{*status, std::nullopt, message.time, message.seq, false};
  if (it != entries_.end()) {
    if (message.seq <= it->second.seq) return;  // the snapshot was newer
    change.before = std::move(it->second.status);
  }
  entries_[change.status.id] = Entry{message.seq, std::move(*status)};
  out.changes.push_back(std::move(change));
}

void FeedView::on_snapshot(const Snapshot& snapshot, FeedOutputs& out) {
  if (state_ != State::kNoSnapshot) return;
  if (snapshot.epoch != epoch_) return begin_again(out);
  for (const Snapshot::Entry& entry : snapshot.entries) {
    const auto it = entries_.find(entry.status.id);
    StatusChange change{entry.status, std::nullopt, entry.status.since, entry.seq, true};
    if (it != entries_.end()) {
      if (entry.seq < it->second.seq) continue;
      change.before = std::move(it->second.status);
    }
    entries_[entry.status.id] = Entry{entry.seq, entry.status};
    if (!change.before || looks_different(*change.before, change.status)) out.changes.push_back(std::move(change));
  }
  state_ = State::kLive;
}

bool looks_different(const msg::Status& a, const msg::Status& b) {
  const auto same_output = [](const msg::OutputFact& x, const msg::OutputFact& y) {
    return x.name == y.name && x.state == y.state;
  };
  return a.verdict != b.verdict || a.reason != b.reason || a.link.state != b.link.state ||
         a.process.state != b.process.state || a.progress.state != b.progress.state ||
         !std::equal(a.outputs.begin(), a.outputs.end(), b.outputs.begin(), b.outputs.end(), same_output);
}

Result<SnapshotPage> parse_snapshot_page(const msg::Value& result) {
  SnapshotPage page;
  const msg::Value* epoch = result.find("epoch");
  const msg::Value* list = result.find("compositors");
  if (epoch == nullptr || epoch->if_int() == nullptr)
    return fail(Status::kMalformed, "snapshot: epoch: an integer expected");
  if (list == nullptr || list->if_array() == nullptr) {
    return fail(Status::kMalformed, "snapshot: compositors: an array expected");
  }
  page.snapshot.epoch = static_cast<std::uint64_t>(*epoch->if_int());
  for (const msg::Value& item : *list->if_array()) {
    const msg::Value* seq = item.find("seq");
    const msg::Value* status = item.find("status");
    if (seq == nullptr || seq->if_int() == nullptr || status == nullptr) {
      return fail(Status::kMalformed, "snapshot: an entry without seq or status");
    }
    Result<msg::Status> parsed = msg::from_value<msg::Status>(*status);
    if (!parsed) return fail(Status::kMalformed, "snapshot: " + parsed.error().text);
    page.snapshot.entries.push_back({static_cast<std::uint64_t>(*seq->if_int()), std::move(*parsed)});
  }
  if (const msg::Value* next = result.find("next"); next != nullptr && next->is_string())
    page.next = *next->if_string();
  return page;
}

}  // namespace compositord::ctl
