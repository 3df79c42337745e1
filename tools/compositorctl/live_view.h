#pragma once
// A view of the fleet that stays current: subscription, view and the snapshots that the view asks for, in one loop.

#include <string>
#include <vector>

#include "common/feed/feed_view.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/subscription.h"

namespace compositord::ctl {

class LiveView {
 public:
  // `kinds`: "status", "alert", or both.
  LiveView(Session& session, const std::vector<std::string>& kinds, int key_fd = -1);

  Outcome<void> start();
  // What the next message brought; often nothing. Alerts that ended unseen are among `out.alerts`, with their ends, and
  // `out.ended` is empty. False: the watching has ended. Failures: as Subscription's; of the first
  // snapshot also those of the bus, later ones are asked for again.
  // `until` comes, or a key does: true, and nothing new.
  Outcome<bool> next(feed::FeedOutputs& out, Instant until = kNever);
  const feed::FeedView& view() const noexcept { return view_; }
  bool had_snapshot() const noexcept { return had_snapshot_; }

 private:
  Outcome<void> take_snapshot(feed::FeedOutputs& out);
  void find_ends(feed::FeedOutputs& out);
  Outcome<feed::Snapshot> fetch_snapshot();

  Session& session_;
  std::vector<std::string> kinds_;
  Subscription subscription_;
  feed::FeedView view_;
  bool had_snapshot_ = false;
};

}  // namespace compositord::ctl
