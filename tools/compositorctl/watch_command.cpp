// watch: everything as it is, then every change as it comes.

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/feed_view.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/status_text.h"
#include "tools/compositorctl/subscription.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

constexpr std::size_t kPagesMax = 20'000;  // as for every list: see fleet.cpp

std::string change_json(const StatusChange& change) {
  return safe_json(msg::Value::map({{"event", "status"},
                                    {"time", change.time.ms},
                                    {"seq", change.seq},
                                    {"snapshot", change.from_snapshot},
                                    {"status", to_value(change.status)}}));
}

std::string alert_json(const AlertChange& change) {
  return safe_json(msg::Value::map(
      {{"event", "alert"}, {"time", change.alert.at.ms}, {"seq", change.seq}, {"alert", to_value(change.alert)}}));
}

class Watch {
 public:
  explicit Watch(Session& session)
      : session_(session), subscription_(session, {"status/", "alert/"}), view_({"status", "alert"}) {}

  Outcome<ExitCode> run() {
    const Outcome<void> started = subscription_.start();
    if (!started) return tl::unexpected<Failure>(started.error());
    for (;;) {
      const Outcome<Subscription::Step> step = subscription_.next();
      if (!step) return tl::unexpected<Failure>(step.error());
      if (*step == Subscription::Step::kEnd) return ExitCode::kDone;
      FeedOutputs out;
      if (*step == Subscription::Step::kHandshake) {
        view_.handshake_started(subscription_.hello_topic());
      } else {
        view_.on_message(subscription_.message(), out);
      }
      // A snapshot that could not be had is asked for again with the next message, bus/tick at the latest.
      out.take_snapshot = view_.state() == FeedView::State::kNoSnapshot;
      const Outcome<void> applied = apply(out);
      if (!applied) return tl::unexpected<Failure>(applied.error());
      if (session_.options.count && lines_ >= *session_.options.count) return ExitCode::kDone;
    }
  }

 private:
  Outcome<void> apply(FeedOutputs& out) {
    Outcome<void> shown = show(out);
    if (!shown) return shown;
    if (out.start_handshake) view_.handshake_started(subscription_.start_handshake());
    return out.take_snapshot ? take_snapshot() : Outcome<void>();
  }

  Outcome<void> take_snapshot() {
    Outcome<Snapshot> snapshot = fetch_snapshot();
    if (!snapshot) {
      const Failure& failure = snapshot.error();
      const bool may_come_back =
          failure.code == ExitCode::kNoBroker || failure.code == ExitCode::kTimeout || failure.code == ExitCode::kGone;
      if (!had_snapshot_ || !may_come_back) return tl::unexpected<Failure>(failure);
      session_.log.write(LogEvent(Severity::kWarning, "snapshot.failed").with("why", failure.text));
      return {};
    }
    had_snapshot_ = true;
    FeedOutputs out;
    view_.on_snapshot(*snapshot, out);
    const bool empty = snapshot->entries.empty() && lines_ == 0;
    if (empty && !session_.options.json)
      session_.console.note("no compositor has registered yet; watching for the first");
    if (out.start_handshake) view_.handshake_started(subscription_.start_handshake());
    return show(out);
  }

  Outcome<Snapshot> fetch_snapshot() {
    Snapshot whole;
    msg::Value params = msg::Value::map();
    for (std::size_t i = 0; i < kPagesMax; ++i) {
      const Outcome<msg::Value> result = session_.bus.ask("bus.status", "snapshot", params);
      if (!result) return tl::unexpected<Failure>(result.error());
      Result<SnapshotPage> page = parse_snapshot_page(*result);
      if (!page) return give_up(ExitCode::kLocal, page.error().text);
      whole.epoch = page->snapshot.epoch;  // one that changes in between is seen by its last value
      std::move(page->snapshot.entries.begin(), page->snapshot.entries.end(), std::back_inserter(whole.entries));
      if (!page->next) return whole;
      params = msg::Value::map({{"after", *page->next}});
    }
    return give_up(ExitCode::kLocal, "bus.status snapshot gives pages without end");
  }

  Outcome<void> show(const FeedOutputs& out) {
    for (const std::string& note : out.notes) session_.console.note(safe_text(note));
    for (const StatusChange& change : out.changes) {
      const bool is_news = !change.before || looks_different(*change.before, change.status);
      if (!is_news && !session_.options.json) continue;  // a label, say: no line of text would tell it
      const std::string line =
          session_.options.json ? change_json(change) : change_line(change, session_.console.coloured());
      if (Outcome<void> printed = print(line); !printed) return printed;
    }
    for (const AlertChange& change : out.alerts) {
      const std::string line =
          session_.options.json ? alert_json(change) : alert_line(change, session_.console.coloured());
      if (Outcome<void> printed = print(line); !printed) return printed;
    }
    return {};
  }

  // Not more than --count.
  Outcome<void> print(const std::string& line) {
    if (session_.options.count && lines_ >= *session_.options.count) return {};
    ++lines_;
    return session_.console.print_line(line);
  }

  Session& session_;
  Subscription subscription_;
  FeedView view_;
  std::uint64_t lines_ = 0;
  bool had_snapshot_ = false;
};

}  // namespace

Outcome<ExitCode> run_watch(Session& session) {
  Watch watch(session);
  Outcome<ExitCode> ended = watch.run();
  // SIGINT and SIGTERM are how a watch ends.
  if (!ended && ended.error().code == ExitCode::kInterrupted) return ExitCode::kDone;
  return ended;
}

}  // namespace compositord::ctl
