#include "tests/sim/feed_watch.h"

#include <fmt/format.h>

namespace compositord::sim {

void FeedWatch::published(const wire::Frames& frames) {
  const Result<msg::Value> header = msg::decode_msgpack(frames.at(1));
  const Result<msg::Value> payload = msg::decode_msgpack(frames.at(2));
  if (!header || !payload) return failures_.add("the feed can't be read: " + frames[0].str());
  check_seq(*header);
  if (frames[0].starts_with("status/")) {
    const Result<msg::Status> status = msg::from_value<msg::Status>(*payload);
    if (!status) return failures_.add("a status can't be read: " + status.error().text);
    statuses_[status->id] = *status;
    status_published_(*status);
  } else if (frames[0].starts_with("alert/")) {
    const Result<msg::Alert> alert = msg::from_value<msg::Alert>(*payload);
    if (!alert) return failures_.add("an alert can't be read: " + alert.error().text);
    take_alert(*alert);
  }
}

void FeedWatch::check_seq(const msg::Value& header) {
  const std::int64_t epoch = *header.find("epoch")->if_int();
  const std::int64_t seq = *header.find("seq")->if_int();
  const std::string kind = *header.find("kind")->if_string();
  if (epoch < epoch_) failures_.add("an epoch went back");
  if (epoch > epoch_) {
    epoch_ = epoch;
    seqs_.clear();
    statuses_.clear();
  }
  if (seq != ++seqs_[kind]) failures_.add(fmt::format("a gap before {} {}", kind, seq));
}

void FeedWatch::take_alert(const msg::Alert& alert) {
  ++alerts_;
  failures_.note(fmt::format("alert {} {} {}: {}", alert.id, alert.about, name_of(alert.state), alert.text));
  const auto key = std::make_pair(alert.id, alert.about);
  const auto known = firing_.find(key);
  const bool of_this_epoch = known != firing_.end() && known->second.epoch == epoch_;
  if (of_this_epoch && known->second.alert.alert != alert.alert) {
    failures_.add(fmt::format("{} {} has two lives at once", alert.id, alert.about));
  }
  if (alert.state == msg::AlertState::kFiring) {
    firing_.insert_or_assign(key, Firing{alert, epoch_});
    return;
  }
  // The beginning may have been told in an earlier epoch, or be in the journal only: then a snapshot has it.
  const bool from_before = !alert.alert.starts_with(fmt::format("{:016x}", epoch_));
  if (known == firing_.end() && !from_before) {
    failures_.add(fmt::format("{} {} was resolved and had not fired", alert.id, alert.about));
  }
  firing_.erase(key);
}

const msg::Status* FeedWatch::status(const std::string& id) const {
  const auto it = statuses_.find(id);
  return it == statuses_.end() ? nullptr : &it->second;
}

std::set<std::string> FeedWatch::firing(const std::string& id, bool calm) const {
  std::set<std::string> abouts;
  for (auto it = firing_.lower_bound({id, {}}); it != firing_.end() && it->first.first == id; ++it) {
    const std::string& about = it->first.second;
    const bool of_compositor = about == "agent" || about == "compositor" || about.starts_with("output/");
    if (of_compositor && it->second.epoch == epoch_ && !(calm && it->second.alert.flapping)) abouts.insert(about);
  }
  return abouts;
}

}  // namespace compositord::sim
