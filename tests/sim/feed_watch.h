#pragma once
// A subscriber of everything, who keeps what it was told and sees every gap.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/msg/alert.h"
#include "common/msg/status.h"
#include "common/wire/frames.h"
#include "tests/sim/failures.h"

namespace compositord::sim {

class FeedWatch {
 public:
  FeedWatch(Failures& failures, std::function<void(const msg::Status&)> status_published)
      : failures_(failures), status_published_(std::move(status_published)) {}

  void published(const wire::Frames& frames);
  // The last status of a compositor in this epoch, or nullptr.
  const msg::Status* status(const std::string& id) const;
  // What of a compositor has an alert that fires; without those that merely have not calmed down yet, when `calm`.
  std::set<std::string> firing(const std::string& id, bool calm) const;
  std::uint64_t alerts() const noexcept { return alerts_; }

 private:
  void check_seq(const msg::Value& header);
  void take_alert(const msg::Alert& alert);

  Failures& failures_;
  std::function<void(const msg::Status&)> status_published_;
  std::int64_t epoch_ = 0;
  std::map<std::string, std::int64_t> seqs_;
  std::map<std::string, msg::Status> statuses_;
  // By id and about. One of an earlier epoch may have been told and not journalled: the disk failed, or took its time.
  struct Firing {
    msg::Alert alert;
    std::int64_t epoch = 0;
  };
  std::map<std::pair<std::string, std::string>, Firing> firing_;
  std::uint64_t alerts_ = 0;
};

}  // namespace compositord::sim
