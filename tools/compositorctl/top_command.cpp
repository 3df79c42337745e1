// top: the fleet on a terminal, the worst first, for as long as one looks.

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "tools/compositorctl/fresh_metrics.h"
#include "tools/compositorctl/live_view.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/top_text.h"

namespace compositord::ctl {

namespace {

// A burst of changes is drawn so often; and ages grow, also when nothing changes.
constexpr Duration kDrawSoon = std::chrono::milliseconds(100);
constexpr Duration kDrawAnyway = std::chrono::seconds(1);

// The terminal as a canvas, and as it was before in the end. Source: ECMA-48, and xterm's private modes 25 (cursor) and 1049
// (alternate screen).
class Screen {
 public:
  explicit Screen(Console& console) : console_(console) {
    termios keys{};
    if (::tcgetattr(STDIN_FILENO, &keys) == 0) {
      before_ = keys;
      keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      keys.c_cc[VMIN] = 0;
      keys.c_cc[VTIME] = 0;
      ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    static_cast<void>(console_.print("\x1b[?1049h\x1b[?25l"));
  }
  ~Screen() {
    static_cast<void>(console_.print("\x1b[?25h\x1b[?1049l"));
    if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Standard input, when keys can be read from it; else -1.
  int key_fd() const { return before_ ? STDIN_FILENO : -1; }

  // Whether q was pressed, or there will be no more keys: the terminal is gone.
  bool quit_pressed() const {
    if (!before_) return false;
    std::array<char, 64> keys{};
    const ssize_t count = ::read(STDIN_FILENO, keys.data(), keys.size());
    if (count < 0) return true;
    const std::string_view pressed(keys.data(), static_cast<std::size_t>(count));
    return pressed.find_first_of("qQ\x04") != std::string_view::npos;
  }

  static FrameSize size() {
    winsize window{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0) return {24, 80};
    return {window.ws_row, window.ws_col};
  }

  // Line by line over the last frame, so that nothing flickers.
  Outcome<void> draw(const std::string& frame) {
    std::string bytes = "\x1b[H";
    for (const char c : frame) {
      if (c == '\n') bytes += "\x1b[K";
      bytes += c;
    }
    return console_.print(bytes + "\x1b[J");
  }

 private:
  Console& console_;
  std::optional<termios> before_;
};

// The view, and figures that are newer than the feed's.
class Top {
 public:
  explicit Top(Session& session, int key_fd = -1) : session_(session), live_(session, {"status", "alert"}, key_fd) {}

  Outcome<void> start() {
    refresh_at_ = monotonic_now() + FreshMetrics::kInterval;
    return live_.start();
  }
  // As LiveView's.
  Outcome<bool> next(feed::FeedOutputs& out, Instant until = kNever) {
    Outcome<bool> goes_on = live_.next(out, until);
    if (!goes_on || !*goes_on) return goes_on;
    metrics_.take(out);
    const Instant now = monotonic_now();
    // A broker that has just ticked answers at once: nobody waits here for one that is gone.
    const bool ticked = std::exchange(up_to_, view().completeness().up_to) != view().completeness().up_to;
    if (!ticked || now < refresh_at_ || !live_.had_snapshot()) return goes_on;
    refresh_at_ = now + FreshMetrics::kInterval;
    const Outcome<void> refreshed = metrics_.refresh(session_.bus);
    if (refreshed) return goes_on;
    if (refreshed.error().code == ExitCode::kInterrupted) return tl::unexpected<Failure>(refreshed.error());
    session_.log.write(LogEvent(Severity::kInfo, "metrics.not_told").with("why", refreshed.error().text));
    return goes_on;
  }
  // Until there is something to show. False: the watching has ended.
  Outcome<bool> wait_for_snapshot() {
    while (!live_.had_snapshot()) {
      feed::FeedOutputs out;
      Outcome<bool> goes_on = next(out);
      if (!goes_on || !*goes_on) return goes_on;
    }
    return true;
  }
  const feed::FeedView& view() const noexcept { return live_.view(); }
  const FreshMetrics& metrics() const noexcept { return metrics_; }

 private:
  Session& session_;
  LiveView live_;
  FreshMetrics metrics_;
  Instant refresh_at_ = kNever;
  UnixMs up_to_;  // of the view
};

bool is_last(const Session& session, std::uint64_t frames) {
  return session.options.count && frames >= *session.options.count;
}

Outcome<ExitCode> show_once(Session& session) {
  Top top(session);
  const Outcome<void> started = top.start();
  if (!started) return tl::unexpected<Failure>(started.error());
  const Outcome<bool> goes_on = top.wait_for_snapshot();
  if (!goes_on) return tl::unexpected<Failure>(goes_on.error());
  return done(session.console.print(top_text(top.view(), top.metrics(), {}, unix_now(), false)));
}

// A line for each frame: one, or one each second for as long as was asked for.
Outcome<ExitCode> show_json(Session& session) {
  Top top(session);
  const Outcome<void> started = top.start();
  if (!started) return tl::unexpected<Failure>(started.error());
  const Outcome<bool> began = top.wait_for_snapshot();
  if (!began) return tl::unexpected<Failure>(began.error());
  if (!*began) return ExitCode::kDone;
  const bool once = !session.options.count && !session.options.run_for;
  for (std::uint64_t frames = 1;; ++frames) {
    const Outcome<void> shown = session.console.print_line(top_json(top.view(), top.metrics(), unix_now()));
    if (!shown) return tl::unexpected<Failure>(shown.error());
    if (once || is_last(session, frames)) return ExitCode::kDone;
    const Instant until = monotonic_now() + kDrawAnyway;
    while (monotonic_now() < until) {
      feed::FeedOutputs out;
      const Outcome<bool> goes_on = top.next(out, until);
      if (!goes_on) return tl::unexpected<Failure>(goes_on.error());
      if (!*goes_on) return ExitCode::kDone;
    }
  }
}

Outcome<ExitCode> show_live(Session& session) {
  Screen screen(session.console);
  Top top(session, screen.key_fd());
  const Outcome<void> started = top.start();
  if (!started) return tl::unexpected<Failure>(started.error());
  Instant drawn;
  bool changed = true;
  std::uint64_t frames = 0;
  for (;;) {
    feed::FeedOutputs out;
    const Outcome<bool> goes_on = top.next(out, drawn + (changed ? kDrawSoon : kDrawAnyway));
    if (!goes_on) return tl::unexpected<Failure>(goes_on.error());
    if (!*goes_on || screen.quit_pressed()) return ExitCode::kDone;
    changed |= !out.changes.empty() || !out.alerts.empty() || !out.forgotten.empty() || !out.notes.empty();
    const Instant now = monotonic_now();
    if (now < drawn + (changed ? kDrawSoon : kDrawAnyway)) continue;
    FrameSize size = Screen::size();
    size.rows = std::max<std::size_t>(size.rows, 2) - 1;  // the last one is where the cursor stands
    const std::string frame = top_text(top.view(), top.metrics(), size, unix_now(), session.console.coloured());
    if (const Outcome<void> shown = screen.draw(frame); !shown) return tl::unexpected<Failure>(shown.error());
    if (is_last(session, ++frames)) return ExitCode::kDone;
    drawn = now;
    changed = false;
  }
}

Outcome<ExitCode> show(Session& session) {
  if (session.options.json) return show_json(session);
  return session.console.is_terminal() ? show_live(session) : show_once(session);
}

}  // namespace

Outcome<ExitCode> run_top(Session& session) {
  Outcome<ExitCode> ended = show(session);
  if (!ended && ended.error().code == ExitCode::kInterrupted) return ExitCode::kDone;
  return ended;
}

}  // namespace compositord::ctl
