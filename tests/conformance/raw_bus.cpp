#include "tests/conformance/raw_bus.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <gtest/gtest.h>

namespace compositord::testing {

broker::BrokerConfig with_heartbeat(Duration interval, int liveness) {
  broker::BrokerConfig config;
  config.heartbeat_interval = interval;
  config.heartbeat_liveness = liveness;
  return config;
}

broker::BrokerConfig with_plain_expiry(Duration expiry) {
  broker::BrokerConfig config;
  config.plain_request_expiry = expiry;
  return config;
}

RawBus::RawBus(const broker::BrokerConfig& config) : core_(config, 1) {
  broker::Outputs out;
  core_.step(now_, broker::input::CalendarSet{}, out);
  core_.load(now_, {}, out);
}

void RawBus::from(const std::string& peer, Frames frames) {
  step(broker::input::Received{wire::RoutingId(peer), std::move(frames)});
}

void RawBus::pass(Duration duration) {
  const Instant end = now_ + duration;
  while (core_.next_deadline() <= end) {
    now_ = core_.next_deadline();
    step(broker::input::Tick{});
  }
  now_ = end;
}

void RawBus::pass_while(const std::string& peer, const Frames& sign, Duration duration) {
  constexpr Duration kPace = std::chrono::milliseconds(250);
  for (Duration passed{}; passed < duration; passed += kPace) {
    from(peer, sign);
    pass(std::min(kPace, duration - passed));
  }
}

Messages RawBus::to(const std::string& peer) {
  Messages messages;
  std::vector<broker::Send> others;
  for (broker::Send& send : std::exchange(sent_, {})) {
    if (send.peer.value() == peer) {
      messages.push_back(std::move(send.frames));
    } else {
      others.push_back(std::move(send));
    }
  }
  sent_ = std::move(others);
  return messages;
}

void RawBus::step(broker::Input input) {
  broker::Outputs out;
  core_.step(now_, std::move(input), out);
  EXPECT_TRUE(core_.check_invariants());
  for (broker::Send& send : out.sends) sent_.push_back(std::move(send));
}

}  // namespace compositord::testing
