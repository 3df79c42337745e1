#include "tests/sim/day.h"

#include <fmt/format.h>

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Duration kStartUp = minutes(2);
constexpr Duration kPauseMin = milliseconds(200);  // from one event to the next
constexpr Duration kPauseMax = seconds(40);

}  // namespace

Day::Day(const DayConfig& config, const Shape& shape)
    : random_(config.seed),
      failures_(events_),
      ledger_(events_, failures_),
      feed_(failures_, [](const msg::Status&) {}),
      broker_(events_, random_.next(), digest_, failures_, ledger_,
              [this](const wire::Frames& frames) { published(frames); }),
      end_(events_.now() + config.length),
      last_event_at_(end_ - shape.last) {
  broker_.check_every(config.agents);
  for (std::size_t i = 0; i < config.agents; ++i) {
    Place place;
    place.site = fmt::format("site{}", i / shape.agents_per_site);
    agent::AgentConfig agent;
    agent.id = msg::CompositorId(fmt::format("host{}/wayland-0", i));
    agent.labels = {{"site", place.site}, {"seat", fmt::format("s{}", i)}};
    agent.heartbeat_interval = shape.heartbeats[i % shape.heartbeats.size()];
    agent.health.probe_interval = seconds(20);
    agent.status_refresh = seconds(60);
    place.agent =
        std::make_unique<SimAgent>(events_, random_.next(), broker_, digest_, failures_, ledger_, std::move(agent));
    broker_.add_link(place.agent->link());
    places_.push_back(std::move(place));
  }
}

void Day::run() {
  broker_.start();
  for (Place& place : places_) {
    SimAgent& agent = *place.agent;
    agent.compositor().start();
    events_.after(random_.between(Duration{}, Duration(seconds(2))), [&agent] { agent.start(); });
  }
  events_.after(kStartUp, [this] { go_on(); });
  events_.run_until(end_, failures_.any());
  if (!failures_.any()) check_all_over();
}

void Day::go_on() {
  if (events_.now() >= last_event_at_) return;
  happen();
  events_.after(random_.between(kPauseMin, kPauseMax), [this] { go_on(); });
}

void Day::begin(SimAgent& agent, const LastingFault& fault, Duration lasts) {
  fault.begin(agent, lasts);
  events_.after(lasts, [&agent, end = fault.end] { end(agent); });
}

void Day::note(std::string_view id, std::string_view what, Duration lasts) {
  failures_.note(fmt::format("{}: {}, for {} s", id, what, to_ms(lasts) / 1'000));
}

void Day::published(const wire::Frames& frames) {
  feed_.published(frames);
  if (!frames[0].starts_with("alert/")) return;
  const Result<msg::Value> payload = msg::decode_msgpack(frames.at(2));
  if (!payload) return;  // the watch has said so
  if (const Result<msg::Alert> alert = msg::from_value<msg::Alert>(*payload)) take(*alert);
}

}  // namespace compositord::sim
