// sub: the feed as it is, one JSON object a line.

#include <algorithm>

#include <fmt/format.h>

#include "tools/compositorctl/session.h"
#include "tools/compositorctl/subscription.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

std::string message_json(const feed::FeedMessage& message) {
  return safe_json(
      msg::Value::map({{"topic", message.topic}, {"header", message.header}, {"payload", message.payload}}));
}

bool is_wanted(const Options& options, const Subscription& subscription) {
  const std::string& topic = subscription.message().topic;
  if (topic == subscription.hello_topic()) return false;  // ours, asked for by no user
  return std::any_of(options.prefixes.begin(), options.prefixes.end(),
                     [&](const std::string& prefix) { return topic.starts_with(prefix); });
}

Outcome<ExitCode> print_messages(Session& session, Subscription& subscription) {
  std::uint64_t epoch = 0;
  std::uint64_t lines = 0;
  for (;;) {
    const Outcome<Subscription::Step> step = subscription.next();
    if (!step) return tl::unexpected<Failure>(step.error());
    if (*step == Subscription::Step::kEnd) return ExitCode::kDone;
    if (*step == Subscription::Step::kHandshake) continue;
    const feed::FeedMessage& message = subscription.message();
    if (epoch != 0 && epoch != message.epoch) {
      session.console.note(fmt::format("the broker was restarted (epoch {} → {})", epoch, message.epoch));
    }
    epoch = message.epoch;
    if (!is_wanted(session.options, subscription)) continue;
    const Outcome<void> printed = session.console.print_line(message_json(message));
    if (!printed) return tl::unexpected<Failure>(printed.error());
    if (session.options.count && ++lines >= *session.options.count) return ExitCode::kDone;
  }
}

}  // namespace

Outcome<ExitCode> run_sub(Session& session) {
  Subscription subscription(session, session.options.prefixes);
  const Outcome<void> started = subscription.start();
  Outcome<ExitCode> ended = started ? print_messages(session, subscription) : tl::unexpected<Failure>(started.error());
  if (!ended && ended.error().code == ExitCode::kInterrupted) return ExitCode::kDone;
  return ended;
}

}  // namespace compositord::ctl
