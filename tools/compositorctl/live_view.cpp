#include "tools/compositorctl/live_view.h"

#include <utility>

#include "tools/compositorctl/fleet.h"

namespace compositord::ctl {

namespace {

constexpr std::size_t kPagesMax = 20'000;  // as for every list: see fleet.cpp

// A kind is subscribed to as a whole.
std::vector<std::string> prefixes_of(std::vector<std::string> kinds) {
  for (std::string& kind : kinds) kind += '/';
  return kinds;
}

}  // namespace

LiveView::LiveView(Session& session, const std::vector<std::string>& kinds, int key_fd)
    : session_(session), kinds_(kinds), subscription_(session, prefixes_of(kinds), key_fd), view_(kinds) {}

Outcome<void> LiveView::start() { return subscription_.start(); }

Outcome<bool> LiveView::next(feed::FeedOutputs& out, Instant until) {
  const Outcome<Subscription::Step> step = subscription_.next(until);
  if (!step) return tl::unexpected<Failure>(step.error());
  if (*step == Subscription::Step::kEnd) return false;
  if (*step == Subscription::Step::kIdle) return true;
  if (*step == Subscription::Step::kHandshake) {
    view_.handshake_started(subscription_.hello_topic());
    return true;
  }
  view_.on_message(subscription_.message(), out);
  // One that could not be had is asked for again with the next message, bus/tick at the latest.
  if (view_.state() == feed::FeedView::State::kNoSnapshot) {
    const Outcome<void> taken = take_snapshot(out);
    if (!taken) return tl::unexpected<Failure>(taken.error());
  }
  if (out.start_handshake) view_.handshake_started(subscription_.start_handshake());
  return true;
}

Outcome<void> LiveView::take_snapshot(feed::FeedOutputs& out) {
  const Outcome<feed::Snapshot> snapshot = fetch_snapshot();
  if (snapshot) {
    view_.on_snapshot(*snapshot, out);
    had_snapshot_ = true;
    find_ends(out);
    return {};
  }
  const Failure& failure = snapshot.error();
  const bool may_come_back =
      failure.code == ExitCode::kNoBroker || failure.code == ExitCode::kTimeout || failure.code == ExitCode::kGone;
  if (!had_snapshot_ || !may_come_back) return tl::unexpected<Failure>(failure);
  session_.log.write(LogEvent(Severity::kWarning, "snapshot.failed").with("why", failure.text));
  return {};
}

// How an alert ended while nobody listened. One whose end can't be had is left out: it is not in the view any more.
void LiveView::find_ends(feed::FeedOutputs& out) {
  for (const msg::Alert& alert : std::exchange(out.ended, {})) {
    const Outcome<msg::Value> now = session_.bus.ask("bus.alert", "get", msg::Value::map({{"alert", alert.alert}}));
    if (!now) continue;
    Outcome<msg::Alert> end = read_as<msg::Alert>(*now, "bus.alert get");
    if (end) out.alerts.push_back(feed::AlertChange{std::move(*end), 0, true});
  }
}

Outcome<feed::Snapshot> LiveView::fetch_snapshot() {
  feed::Snapshot whole;
  for (const std::string& kind : kinds_) {
    const bool alerts = kind == "alert";
    msg::Value params = msg::Value::map();
    for (std::size_t i = 0;; ++i) {
      if (i == kPagesMax) return give_up(ExitCode::kLocal, "the bus gives pages of a snapshot without end");
      const Outcome<msg::Value> result =
          alerts ? session_.bus.ask("bus.alert", "list", params) : session_.bus.ask("bus.status", "snapshot", params);
      if (!result) return tl::unexpected<Failure>(result.error());
      const auto next = alerts ? feed::add_alert_page(*result, whole) : feed::add_status_page(*result, whole);
      if (!next) {
        const bool restarted = next.error().status == Status::kConflict;
        return give_up(restarted ? ExitCode::kGone : ExitCode::kLocal, next.error().text);
      }
      if (!*next) break;
      params = msg::Value::map({{"after", **next}});
    }
  }
  return whole;
}

}  // namespace compositord::ctl
