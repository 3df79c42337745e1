#include "tests/bench/idle_agents.h"

#include <poll.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tests/bench/fatal.h"

namespace compositord::bench {

namespace {

constexpr Duration kInterval = std::chrono::seconds(1);
constexpr int kLiveness = 3;
// Registering at one time. The broker's backlog takes many more; but each costs a look at every turn.
constexpr std::size_t kRegisteringMax = 64;

}  // namespace

IdleAgents::IdleAgents(std::string endpoint, std::int64_t first, std::int64_t count)
    : endpoint_(std::move(endpoint)), next_(first), end_(first + count) {}

void IdleAgents::enrol() {
  while (next_ < end_ || !registering_.empty()) {
    while (next_ < end_ && registering_.size() < kRegisteringMax) open_next();
    std::vector<zmq_pollitem_t> items;
    for (const auto& agent : registering_) items.push_back({agent->socket.handle(), 0, ZMQ_POLLIN, 0});
    constexpr long kTurnMs = 10;  // heartbeats of the registered ones are due meanwhile
    zmq_poll(items.data(), static_cast<int>(items.size()), kTurnMs);
    take_registered();
    beat(monotonic_now());
  }
}

void IdleAgents::open_next() {
  auto agent = std::make_unique<Agent>(context_);
  agent->socket.connect(endpoint_);
  agent->heard = monotonic_now();
  const std::string params = fmt::format(R"({{"id":"bench/a{}","heartbeat_ms":1000,"liveness":{}}})", next_, kLiveness);
  agent->socket.send({"MDPC02", "\x01", "bus.agent",
                      fmt::format(R"({{"v":1,"id":{},"method":"register","params":{}}})", next_, params)});
  registering_.push_back(std::move(agent));
  ++next_;
}

void IdleAgents::take_registered() {
  RawMessage answer;
  for (std::size_t left = registering_.size(); left > 0; --left) {
    std::unique_ptr<Agent> agent = std::move(registering_.front());
    registering_.pop_front();
    if (!agent->socket.receive(answer, RawSocket::Wait::kNow)) {
      if (monotonic_now() - agent->heard > std::chrono::seconds(20)) fatal("an agent's registration was not answered");
      registering_.push_back(std::move(agent));
      continue;
    }
    if (answer.size() != 4 || integer_in(answer.frame(3), "status") != 200) {
      fatal(fmt::format("bus.agent register: {}", answer.frame(answer.size() - 1)));
    }
    const std::int64_t number = integer_in(answer.frame(3), "id");
    agent->socket.send({"MDPW02", "\x01", fmt::format("compositor/bench/a{}", number)});
    agent->heard = monotonic_now();
    agent->heartbeat_due = agent->heard + kInterval;
    idle_.push_back(std::move(agent));
  }
}

void IdleAgents::idle(int stop_fd) {
  for (;;) {
    const Duration wait = beat(monotonic_now()) - monotonic_now();
    pollfd stop{stop_fd, POLLIN, 0};
    const auto wait_ms = std::chrono::ceil<std::chrono::milliseconds>(std::max(wait, Duration{})).count();
    if (poll(&stop, 1, static_cast<int>(wait_ms)) > 0) return;
  }
}

Instant IdleAgents::beat(Instant now) {
  while (!idle_.empty() && idle_.front()->heartbeat_due <= now) {
    std::unique_ptr<Agent> agent = std::move(idle_.front());
    idle_.pop_front();
    latest_ = std::max(latest_, now - agent->heartbeat_due);
    read(*agent, now);
    agent->socket.send({"MDPW02", "\x05"});
    agent->heartbeat_due = now + kInterval;
    idle_.push_back(std::move(agent));
  }
  return idle_.empty() ? now + kInterval : idle_.front()->heartbeat_due;
}

void IdleAgents::read(Agent& agent, Instant now) {
  RawMessage message;
  bool thrown_out = false;
  while (agent.socket.receive(message, RawSocket::Wait::kNow)) {
    agent.heard = now;
    thrown_out = thrown_out || (message.size() == 2 && message.frame(1) == "\x06");  // DISCONNECT
  }
  const bool silent = now - agent.heard > kInterval * kLiveness;
  if (agent.lost || (!thrown_out && !silent)) return;
  agent.lost = true;
  ++lost_;
}

}  // namespace compositord::bench
