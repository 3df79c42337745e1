#include "tools/compositorctl/subscription.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "common/feed/feed_endpoint.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

feed::Subscriber::Settings settings_of(const Session& session, std::vector<std::string> prefixes, int key_fd) {
  // Of standard output no event is asked for: that nobody reads it any more is told all the same.
  return {
      std::move(prefixes), session.options.timeout, {{session.stop_fd, POLLIN}, {STDOUT_FILENO, 0}, {key_fd, POLLIN}}};
}

// Whether one of these happened: poll(2) ignores a negative descriptor.
bool happened(pollfd fd) { return ::poll(&fd, 1, 0) > 0; }

}  // namespace

Subscription::Subscription(Session& session, std::vector<std::string> prefixes, int key_fd)
    : session_(session),
      key_fd_(key_fd),
      subscriber_(session.context, settings_of(session, std::move(prefixes), key_fd), [this] { return find_feed(); }) {
  if (session.options.run_for) end_ = monotonic_now() + *session.options.run_for;
}

Result<std::string> Subscription::find_feed() {
  const auto found = [&](std::string endpoint) {
    session_.log.write(LogEvent(Severity::kInfo, "feed.connecting").with("endpoint", endpoint));
    return endpoint;
  };
  if (!session_.options.feed.empty()) return found(session_.options.feed);
  const Outcome<msg::Value> config = session_.bus.ask("bus.admin", "config");
  if (!config) {
    find_failure_ = config.error();
    return fail(Status::kFailed, find_failure_.text);
  }
  std::vector<std::string> endpoints;
  const msg::Value* feed = config->find("feed");
  if (feed != nullptr && feed->if_array() != nullptr) {
    for (const msg::Value& endpoint : *feed->if_array()) {
      if (endpoint.is_string()) endpoints.push_back(*endpoint.if_string());
    }
  }
  Result<std::string> chosen = feed::choose_feed(session_.options.broker, endpoints);
  if (chosen) return found(std::move(*chosen));
  find_failure_ = Failure{ExitCode::kNoBroker, chosen.error().text, {}};
  return chosen;
}

Outcome<void> Subscription::start() {
  find_failure_ = Failure{};
  const Result<void> started = subscriber_.start();
  if (started) return {};
  if (subscriber_.endpoint().empty()) return tl::unexpected<Failure>(find_failure_);
  return give_up(ExitCode::kUsage, "--feed: " + started.error().text);
}

Outcome<Subscription::Step> Subscription::next(Instant until) {
  for (;;) {
    const Result<feed::Subscriber::Step> step = subscriber_.next(std::min(end_, until));
    if (!step) return give_up(ExitCode::kUsage, "--feed: " + step.error().text);
    switch (*step) {
      case feed::Subscriber::Step::kMessage: take_message(); return Step::kMessage;
      case feed::Subscriber::Step::kHandshake: return Step::kHandshake;
      case feed::Subscriber::Step::kDeadline: return monotonic_now() >= end_ ? Step::kEnd : Step::kIdle;
      case feed::Subscriber::Step::kWatched: {
        const bool over = happened({session_.stop_fd, POLLIN, 0}) || happened({STDOUT_FILENO, 0, 0});
        return !over && happened({key_fd_, POLLIN, 0}) ? Step::kIdle : Step::kEnd;
      }
      case feed::Subscriber::Step::kNoFeed: return tl::unexpected<Failure>(no_feed());
      case feed::Subscriber::Step::kMalformed:
        session_.log.write(LogEvent(Severity::kWarning, "feed.malformed").with("why", subscriber_.why()));
        break;
      case feed::Subscriber::Step::kAway:
        is_away_ = true;
        session_.console.note(fmt::format("lost the feed {}: {}; connecting again", safe_text(subscriber_.endpoint()),
                                          subscriber_.why()));
        break;
    }
  }
}

void Subscription::take_message() {
  if (message().topic == hello_topic()) {
    session_.log.write(LogEvent(Severity::kInfo, "feed.subscribed").with("endpoint", subscriber_.endpoint()));
  }
  if (std::exchange(is_away_, false))
    session_.console.note(fmt::format("the feed {} is back", safe_text(subscriber_.endpoint())));
}

Failure Subscription::no_feed() const {
  return {ExitCode::kNoBroker,
          fmt::format("no feed answered at {} within {} s: is it the feed of the broker at {}? Another one is named "
                      "with --feed ENDPOINT",
                      subscriber_.endpoint(), number_text(static_cast<double>(to_ms(session_.options.timeout)) / 1e3),
                      session_.options.broker),
          {}};
}

}  // namespace compositord::ctl
