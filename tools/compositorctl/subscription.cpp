#include "tools/compositorctl/subscription.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// The broker publishes bus/tick each second; after four of them the connection is thought to be dead, though TCP may say
// nothing for a quarter of an hour.
constexpr Duration kQuietMax = std::chrono::seconds(4);

std::vector<std::string> with_tick(std::vector<std::string> prefixes) {
  prefixes.emplace_back(kTickTopic);
  return prefixes;
}

}  // namespace

Subscription::Subscription(Session& session, std::vector<std::string> prefixes)
    : session_(session), client_(session.context, with_tick(std::move(prefixes)), session.stop_fd) {
  if (session.options.run_for) end_ = monotonic_now() + *session.options.run_for;
}

Outcome<std::string> Subscription::find_feed() {
  if (!session_.options.feed.empty()) return session_.options.feed;
  Outcome<msg::Value> config = session_.bus.ask("bus.admin", "config");
  if (!config) return tl::unexpected<Failure>(std::move(config.error()));
  std::vector<std::string> endpoints;
  const msg::Value* feed = config->find("feed");
  if (feed != nullptr && feed->if_array() != nullptr) {
    for (const msg::Value& endpoint : *feed->if_array()) {
      if (endpoint.is_string()) endpoints.push_back(*endpoint.if_string());
    }
  }
  Result<std::string> chosen = choose_feed(session_.options.broker, endpoints);
  if (!chosen) return give_up(ExitCode::kNoBroker, chosen.error().text);
  return std::move(*chosen);
}

Outcome<void> Subscription::start() {
  Outcome<std::string> found = find_feed();
  if (!found) return tl::unexpected<Failure>(std::move(found.error()));
  endpoint_ = std::move(*found);
  quiet_until_ = monotonic_now() + session_.options.timeout;
  session_.log.write(LogEvent(Severity::kInfo, "feed.connecting").with("endpoint", endpoint_));
  return client_.open(endpoint_);
}

const std::string& Subscription::start_handshake() {
  hello_topic_ = client_.start_handshake();
  return hello_topic_;
}

Outcome<Subscription::Step> Subscription::next() {
  for (;;) {
    wire::Frames frames;
    switch (client_.wait(std::min(end_, quiet_until_), frames)) {
      case FeedEvent::kStopped:
      case FeedEvent::kOutputClosed: return Step::kEnd;
      case FeedEvent::kMessage:
        if (monotonic_now() >= end_) return Step::kEnd;  // a busy feed may never leave a pause
        if (take(frames)) return Step::kMessage;
        break;
      case FeedEvent::kConnected: start_handshake(); return Step::kHandshake;
      case FeedEvent::kDisconnected: away("its connection closed"); break;
      case FeedEvent::kDeadline:
        if (monotonic_now() >= end_) return Step::kEnd;
        if (const Outcome<void> opened = reopen(); !opened) return tl::unexpected<Failure>(opened.error());
        break;
    }
  }
}

Outcome<void> Subscription::reopen() {
  if (!said_hello_) {
    return give_up(
        ExitCode::kNoBroker,
        fmt::format("no feed answered at {} within {} s: is it the feed of the broker at {}? Another one is named "
                    "with --feed ENDPOINT",
                    endpoint_, number_text(static_cast<double>(to_ms(session_.options.timeout)) / 1e3),
                    session_.options.broker));
  }
  away(fmt::format("it was silent for {} s", kQuietMax / std::chrono::seconds(1)));
  // A broker that came back may have another feed endpoint.
  const Outcome<std::string> found = find_feed();
  if (!found && found.error().code == ExitCode::kInterrupted) return tl::unexpected<Failure>(found.error());
  if (found) endpoint_ = *found;
  quiet_until_ = monotonic_now() + kQuietMax;
  session_.log.write(LogEvent(Severity::kInfo, "feed.connecting").with("endpoint", endpoint_));
  return client_.open(endpoint_);
}

bool Subscription::take(const wire::Frames& frames) {
  Result<FeedMessage> parsed = parse_feed_message(frames);
  if (!parsed) {
    session_.log.write(LogEvent(Severity::kWarning, "feed.malformed").with("why", parsed.error().text));
    return false;
  }
  quiet_until_ = monotonic_now() + kQuietMax;
  if (parsed->topic == hello_topic_) {
    said_hello_ = true;
    session_.log.write(LogEvent(Severity::kInfo, "feed.subscribed").with("endpoint", endpoint_));
  }
  if (is_away_) session_.console.note(fmt::format("the feed {} is back", safe_text(endpoint_)));
  is_away_ = false;
  message_ = std::move(*parsed);
  return true;
}

void Subscription::away(std::string why) {
  if (std::exchange(is_away_, true) || !said_hello_) return;
  session_.console.note(fmt::format("lost the feed {}: {}; connecting again", safe_text(endpoint_), why));
}

}  // namespace compositord::ctl
