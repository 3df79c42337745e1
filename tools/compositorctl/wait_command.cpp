// wait: until all compositors that were meant are as they should be.

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/base/glob.h"
#include "tools/compositorctl/live_view.h"
#include "tools/compositorctl/selection.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

std::string fact_of(const msg::Status& status, std::string_view fact) {
  if (fact == "verdict") return std::string(name_of(status.verdict));
  if (fact == "link") return std::string(name_of(status.link.state));
  if (fact == "process") return std::string(name_of(status.process.state));
  if (fact == "progress") return std::string(name_of(status.progress.state));
  return {};
}

// "wall-3/wayland-1 is down (the compositor is frozen)": what is not yet as wished; empty when all is.
struct Waiting {
  std::size_t meant = 0;
  std::vector<std::string> others;
};

Waiting look(const Options& options, const feed::FeedView& view) {
  Waiting waiting;
  for (const auto& [id, entry] : view.statuses()) {
    const msg::Status& status = entry.status;
    if (!is_selected(status, options.alert.ids, options.labels)) continue;
    ++waiting.meant;
    const auto holds = [&](const std::string& wish) {
      const std::size_t equals = wish.find('=');
      return glob_matches(wish.substr(equals + 1), fact_of(status, wish.substr(0, equals)));
    };
    if (std::all_of(options.wait_for.begin(), options.wait_for.end(), holds)) continue;
    const std::string why = status.reason.empty() ? std::string() : fmt::format(" ({})", status.reason);
    waiting.others.push_back(fmt::format("{} is {}{}", id, name_of(status.verdict), why));
  }
  return waiting;
}

Failure too_late(const Waiting& waiting) {
  if (waiting.meant == 0) return {ExitCode::kTimeout, "no compositor fits; is its agent running?", {}};
  Failure failure{
      ExitCode::kTimeout, fmt::format("{} of {} are not as wished", waiting.others.size(), waiting.meant), {}};
  constexpr std::size_t kShownMax = 10;
  for (const std::string& other : waiting.others) {
    if (failure.hints.size() < kShownMax) failure.hints.push_back(other);
  }
  return failure;
}

}  // namespace

Outcome<ExitCode> run_wait(Session& session) {
  LiveView live(session, {"status"});
  const Outcome<void> started = live.start();
  if (!started) return tl::unexpected<Failure>(started.error());
  for (;;) {
    feed::FeedOutputs out;
    const Outcome<bool> goes_on = live.next(out);
    if (!goes_on) return tl::unexpected<Failure>(goes_on.error());
    const Waiting waiting = look(session.options, live.view());
    if (!*goes_on) return tl::unexpected<Failure>(too_late(waiting));
    const bool done = waiting.meant > 0 && waiting.others.empty();
    if (done && live.view().completeness().complete) return ExitCode::kDone;
  }
}

}  // namespace compositord::ctl
