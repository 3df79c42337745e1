// What happens to the bus of a Simulation.

#include <algorithm>

#include "tests/sim/simulation.h"

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kNetwork = milliseconds(100);  // at the worst, there and back

}  // namespace

Duration Simulation::come_back(Duration heartbeat_interval) {
  return heartbeat_interval * 2 + milliseconds(7'500) + seconds(1);
}

Duration Simulation::come_back_max() const {
  return come_back(*std::max_element(config_.heartbeats.begin(), config_.heartbeats.end()));
}

Duration Simulation::span(std::int64_t from_ms, std::int64_t to_ms) {
  return random_.between(milliseconds(from_ms), milliseconds(to_ms));
}

void Simulation::next_fault() {
  if (events_.now() >= faults_end_) return;
  Watched& watched = watched_[random_.below(watched_.size())];
  const std::uint64_t kind = random_.below(20);
  if (kind < 8) {
    agent_fault(watched);
  } else if (kind < 15) {
    compositor_fault(watched);
  } else if (kind < 17) {
    client_fault();
  } else {
    bus_fault();
  }
  broker_.check_now();
  events_.after(random_.between(milliseconds(200), config_.fault_pause_max), [this] { next_fault(); });
}

bool Simulation::disturb(Watched& watched, Duration duration) {
  const Instant now = events_.now();
  promises_.cancel(watched.agent->id());
  const bool was_well = now >= watched.excused_until && now >= broker_excused_until_ && now >= broker_paused_until_ &&
                        watched.agent->online();
  const Instant back = now + duration + come_back(watched.agent->heartbeat_interval());
  watched.excused_until = std::max(watched.excused_until, back);
  events_.at(back, [this, &watched] { check_online(watched); });
  return was_well;
}

void Simulation::disturb_all(Duration duration) {
  for (Watched& watched : watched_) disturb(watched, duration);
  for (auto& client : clients_) client->excuse_until(events_.now() + duration + seconds(1));
}

void Simulation::expect_lost(const Watched& watched, Duration lasts) {
  const Duration promised = watched.agent->heartbeat_interval() * 3 + milliseconds(200);
  if (lasts <= promised) return;
  promises_.expect(watched.agent->id(), promised, "silent, so lost",
                   [](const msg::Status& s) { return s.link.state == msg::Link::kLost; });
}

// ---- agents

void Simulation::agent_fault(Watched& watched) {
  failures_.note("a fault of " + watched.agent->id());
  switch (random_.below(9)) {
    case 0: return kill_agent(watched);
    case 1: return vanish_agent(watched);
    case 2: return pause_agent(watched);
    case 3:
    case 4: return partition(watched, span(50, 12'000));
    case 5: return reset_connection(watched);
    case 6: return stop_agent(watched);
    case 7: {
      // A close that is reported of a connection that lives: it must be asked, and not be lost.
      if (const wire::RoutingId* id = watched.agent->link().routing_id()) broker_.report_close_in_error(*id);
      return;
    }
    default:
      watched.agent->stutter(5);
      watched.agent->set_calendar(1'600'000'000'000 + static_cast<std::int64_t>(random_.below(200'000'000'000)));
  }
}

void Simulation::kill_agent(Watched& watched) {
  const Duration downtime = span(0, 8'000);
  if (disturb(watched, downtime) && !watched.agent->link().partitioned() && downtime > milliseconds(200)) {
    promises_.expect(watched.agent->id(), milliseconds(100) + kNetwork / 2, "its process died, so lost",
                     [](const msg::Status& s) { return s.link.state == msg::Link::kLost; });
  }
  SimAgent& agent = *watched.agent;
  agent.kill();
  events_.after(downtime, [&agent] { agent.start(); });
}

void Simulation::vanish_agent(Watched& watched) {
  const Duration downtime = span(500, 12'000);
  if (disturb(watched, downtime)) expect_lost(watched, downtime);
  SimAgent& agent = *watched.agent;
  agent.vanish();
  events_.after(downtime, [&agent] { agent.start(); });
  events_.after(downtime + span(0, 2'000), [&agent] { agent.compositor().start(); });
}

void Simulation::pause_agent(Watched& watched) {
  const Duration duration = span(150, 12'000);
  if (disturb(watched, duration)) expect_lost(watched, duration);
  watched.agent->pause(duration);
}

void Simulation::partition(Watched& watched, Duration duration) {
  if (disturb(watched, duration)) expect_lost(watched, duration);
  ++watched.partitions;
  watched.agent->link().set_partitioned(true);
  events_.after(duration, [&watched] {
    if (--watched.partitions == 0) watched.agent->link().set_partitioned(false);
  });
}

void Simulation::reset_connection(Watched& watched) {
  if (disturb(watched, {})) {
    promises_.expect(watched.agent->id(), milliseconds(100) + kNetwork / 2, "its connection closed, so lost or back",
                     [](const msg::Status& s) { return s.link.state != msg::Link::kConnected; });
  }
  watched.agent->link().reset();
}

void Simulation::stop_agent(Watched& watched) {
  const Duration downtime = span(1'000, 5'000);
  const bool promised = disturb(watched, downtime);
  if (promised) {
    promises_.expect(watched.agent->id(), kNetwork, "signed off, so left",
                     [](const msg::Status& s) { return s.link.state == msg::Link::kLeft; });
  }
  SimAgent& agent = *watched.agent;
  agent.ask_to_stop();
  events_.after(downtime, [&agent] {
    agent.kill();  // by whoever supervises it: one that is paused can't stop by itself
    agent.start();
  });
}

// ---- compositors

void Simulation::compositor_fault(Watched& watched) {
  failures_.note("a fault of the compositor of " + watched.agent->id());
  switch (random_.below(3)) {
    case 0: return freeze(watched);
    case 1: return end_compositor(watched);
    default: return change_output(watched);
  }
}

void Simulation::freeze(Watched& watched) {
  const Duration duration = span(100, 12'000);
  SimCompositor& compositor = watched.agent->compositor();
  const bool was_well = compositor.well_since() + seconds(2) < events_.now();
  if (disturb(watched, duration) && was_well) {
    const std::string& id = watched.agent->id();
    // Of the age of the probe that isn't answered, and the time until it was sent.
    const Duration suspect_within = config_.probe_interval + seconds(2);
    const Duration frozen_within = config_.probe_interval + seconds(4);
    if (duration > suspect_within) {
      promises_.expect(id, suspect_within + kNetwork, "frozen, so suspect", [](const msg::Status& s) {
        return s.progress.state == msg::Progress::kSuspect && s.verdict != msg::Verdict::kOk;
      });
    }
    if (duration > frozen_within) {
      promises_.expect(id, frozen_within + kNetwork, "frozen, so down", [](const msg::Status& s) {
        return s.progress.state == msg::Progress::kFrozen && s.verdict == msg::Verdict::kDown;
      });
    }
  }
  compositor.freeze(random_.chance(1, 2));
  events_.after(duration, [&compositor] { compositor.thaw(); });
}

void Simulation::end_compositor(Watched& watched) {
  const Duration downtime = span(0, 10'000);
  SimCompositor& compositor = watched.agent->compositor();
  const bool was_well = compositor.well_since() + seconds(2) < events_.now();
  const bool killed = random_.chance(1, 2);
  if (disturb(watched, downtime) && was_well && downtime > milliseconds(300)) {
    const msg::Process process = killed ? msg::Process::kKilled : msg::Process::kExited;
    promises_.expect(watched.agent->id(), milliseconds(200), "ended, so down", [process](const msg::Status& s) {
      return s.process.state == process && s.verdict == msg::Verdict::kDown;
    });
  }
  killed ? compositor.kill() : compositor.exit(3);
  events_.after(downtime, [&compositor] { compositor.start(); });
}

void Simulation::change_output(Watched& watched) {
  const msg::OutputState state = random_.chance(1, 2) ? msg::OutputState::kOff : msg::OutputState::kDisconnected;
  const std::size_t index = random_.below(2);
  const Duration duration = span(1'000, 10'000);
  SimCompositor& compositor = watched.agent->compositor();
  const bool was_well = compositor.well_since() + seconds(2) < events_.now();
  if (disturb(watched, duration) && was_well) {
    promises_.expect(watched.agent->id(), milliseconds(500), "lost an output, so degraded",
                     [](const msg::Status& s) { return s.verdict == msg::Verdict::kDegraded; });
  }
  compositor.set_output(index, state);
  events_.after(duration, [&compositor, index] { compositor.set_output(index, msg::OutputState::kOn); });
}

// ---- everything

void Simulation::bus_fault() {
  failures_.note("a fault of the bus");
  switch (random_.below(8)) {
    case 0: return restart_broker();
    case 1: return partition_site(span(100, 8'000));
    case 2: return break_store();
    case 3: return broker_.set_calendar(1'600'000'000'000 + static_cast<std::int64_t>(random_.below(200'000'000'000)));
    default: return pause_broker();
  }
}

void Simulation::restart_broker() {
  const Duration downtime = span(100, 5'000);
  disturb_all(downtime);
  broker_excused_until_ = std::max(broker_excused_until_, events_.now() + downtime + come_back_max());
  broker_.stop(any_end(random_));
  events_.after(downtime, [this] {
    if (!broker_.up()) broker_.start();
  });
}

void Simulation::pause_broker() {
  // Short enough, and far enough from the last one, for the agents to keep their patience; so nobody may be lost by it, and
  // there is no excuse but for the clients.
  if (events_.now() < broker_paused_until_) return;
  const Duration duration = span(30, 900);
  promises_.cancel_all();
  for (auto& client : clients_) client->excuse_until(events_.now() + duration);
  broker_.pause(duration);
  broker_paused_until_ = events_.now() + duration + seconds(3);
}

void Simulation::break_store() {
  broker_.set_store_failing(true);
  events_.after(span(100, 5'000), [this] { broker_.set_store_failing(false); });
}

// Short of what would be a fault: the last heartbeat may be one interval old when a stall begins, and the next one has to
// arrive before the third interval is over.
void Simulation::stall(SimAgent& agent) {
  if (events_.now() >= faults_end_) return;
  const Duration duration = random_.between(milliseconds(1), agent.heartbeat_interval() * 2 - kNetwork);
  agent.pause(duration);
  ++stalls_;
  events_.after(duration + span(1, 10'000), [this, &agent] { stall(agent); });
}

void Simulation::stall_broker() {
  if (events_.now() >= faults_end_) return;
  pause_broker();
  events_.after(span(1'000, 20'000), [this] { stall_broker(); });
}

void Simulation::partition_site(Duration duration) {
  disturb_all(duration);
  for (Watched& watched : watched_) partition(watched, duration);
}

void Simulation::client_fault() {
  failures_.note("a fault of a client");
  SimClient& client = *clients_[random_.below(clients_.size())];
  const Duration duration = span(10, 6'000);
  switch (random_.below(3)) {
    case 0: return client.say_rubbish();
    case 1: return client.link().reset();
    default:
      client.excuse_until(events_.now() + duration + seconds(1));
      client.link().set_partitioned(true);
      events_.after(duration, [&client] { client.link().set_partitioned(false); });
  }
}

}  // namespace compositord::sim
