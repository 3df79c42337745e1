// watch: everything as it is, then every change as it comes.

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/alert_text.h"
#include "tools/compositorctl/live_view.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/status_text.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

std::string change_json(const feed::StatusChange& change) {
  return safe_json(msg::Value::map({{"event", "status"},
                                    {"time", change.time.ms},
                                    {"seq", change.seq},
                                    {"snapshot", change.from_snapshot},
                                    {"status", to_value(change.status)}}));
}

std::string alert_json(const feed::AlertChange& change) {
  return safe_json(msg::Value::map(
      {{"event", "alert"}, {"time", change.alert.at.ms}, {"seq", change.seq}, {"alert", to_value(change.alert)}}));
}

std::string forgotten_json(const std::string& id) {
  return safe_json(msg::Value::map({{"event", "forgotten"}, {"id", id}}));
}

class Watch {
 public:
  explicit Watch(Session& session) : session_(session), live_(session, {"status", "alert"}) {}

  Outcome<ExitCode> run() {
    const Outcome<void> started = live_.start();
    if (!started) return tl::unexpected<Failure>(started.error());
    for (;;) {
      const bool first = !live_.had_snapshot();
      feed::FeedOutputs out;
      const Outcome<bool> goes_on = live_.next(out);
      if (!goes_on) return tl::unexpected<Failure>(goes_on.error());
      if (!*goes_on) return ExitCode::kDone;
      // What fires already is for `alerts` to show.
      if (first) out.alerts.clear();
      const Outcome<void> shown = show(out);
      if (!shown) return tl::unexpected<Failure>(shown.error());
      if (first && live_.had_snapshot() && out.changes.empty() && !session_.options.json) {
        session_.console.note("no compositor has registered yet; watching for the first");
      }
      if (session_.options.count && lines_ >= *session_.options.count) return ExitCode::kDone;
    }
  }

 private:
  Outcome<void> show(const feed::FeedOutputs& out) {
    for (const std::string& note : out.notes) session_.console.note(safe_text(note));
    for (const feed::StatusChange& change : out.changes) {
      const bool is_news = !change.before || feed::looks_different(*change.before, change.status);
      if (!is_news && !session_.options.json) continue;  // a label, say: no line of text would tell it
      const std::string line =
          session_.options.json ? change_json(change) : change_line(change, session_.console.coloured());
      if (Outcome<void> printed = print(line); !printed) return printed;
    }
    for (const std::string& id : out.forgotten) {
      const std::string line = session_.options.json ? forgotten_json(id) : safe_text(id) + " is not known any more";
      if (Outcome<void> printed = print(line); !printed) return printed;
    }
    for (const feed::AlertChange& change : out.alerts) {
      const std::string line =
          session_.options.json ? alert_json(change) : alert_line(change.alert, session_.console.coloured());
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
  LiveView live_;
  std::uint64_t lines_ = 0;
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
