#include "tests/sim/simulation.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kStartUp = seconds(10);
// A fault has ended after this time at the latest; then some seconds for every agent to come back, and to see what is broken.
constexpr Duration kFaultMax = seconds(15);
constexpr Duration kFreezeSeen = seconds(7);  // beside the interval of the probes

// Beside what the compositor can do, a manifest has what its agent does itself.
bool describes(const msg::Value* told, const SimCompositor& compositor) {
  Result<msg::Manifest> manifest =
      told == nullptr ? fail(Status::kNotFound, "none") : msg::from_value<msg::Manifest>(*told);
  if (!manifest) return false;
  std::erase_if(manifest->commands, [](const auto& c) { return c.name == "output.confirm" || c.name == "launch"; });
  return *manifest == compositor.manifest();
}

}  // namespace

Simulation::Simulation(const SimulationConfig& config)
    : config_(config),
      random_(config.seed),
      failures_(events_),
      ledger_(events_, failures_),
      promises_(events_, failures_),
      feed_(failures_, [this](const msg::Status& status) { on_status(status); }),
      broker_(events_, random_.next(), digest_, failures_, ledger_,
              [this](const wire::Frames& frames) { feed_.published(frames); }) {
  broker_.check_every(config.agents <= 20 ? 1 : config.agents);
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < config.agents; ++i) {
    ids.push_back(fmt::format("host{}/wayland-{}", i, i % 3));
    Watched watched;
    agent::AgentConfig agent;
    agent.id = msg::CompositorId(ids.back());
    agent.heartbeat_interval = config.heartbeats[i % config.heartbeats.size()];
    agent.health.probe_interval = config.probe_interval;
    agent.status_refresh = config.status_refresh;
    watched.agent =
        std::make_unique<SimAgent>(events_, random_.next(), broker_, digest_, failures_, ledger_, std::move(agent));
    broker_.add_link(watched.agent->link());
    index_[ids.back()] = i;
    watched_.push_back(std::move(watched));
  }
  for (std::size_t i = 0; i < config.clients; ++i) {
    clients_.push_back(std::make_unique<SimClient>(events_, random_.next(), broker_, failures_, ledger_,
                                                   fmt::format("client{}", i), ids));
    broker_.add_link(clients_.back()->link());
  }
}

void Simulation::run() {
  const Instant start = events_.now();
  const Instant end = start + config_.length;
  const Duration settle = config_.probe_interval + kFreezeSeen;
  const Instant quiet = end - come_back_max() - settle - seconds(12);  // the longest deadline of a call, and a little
  faults_end_ = quiet - kFaultMax;
  disturb_all(kStartUp);
  events_.after(span(0, 500), [this] { broker_.start(); });
  for (Watched& watched : watched_) {
    SimAgent& agent = *watched.agent;
    events_.after(span(0, 2'000), [&agent] { agent.start(); });
    events_.after(span(0, 2'000), [&agent] { agent.compositor().start(); });
  }
  for (auto& client : clients_) client->start();
  if (config_.faults) {
    events_.after(kStartUp + seconds(2), [this] { next_fault(); });
    // The last thing that happens, so that the way back is measured from its end.
    events_.at(quiet - seconds(9), [this] { random_.chance(1, 2) ? partition_site(seconds(9)) : restart_broker(); });
    events_.at(quiet, [this] { leave_some_broken(); });
  }
  if (config_.stalls) {
    for (Watched& watched : watched_) events_.after(kStartUp, [this, &watched] { stall(*watched.agent); });
    events_.after(kStartUp, [this] { stall_broker(); });
  }
  events_.at(quiet + come_back_max() + settle, [this] {
    check_truth();
    if (!config_.faults) check_nobody_was_lost();
    for (auto& client : clients_) client->stop_asking();
  });
  events_.run_until(end, failures_.any());
  if (failures_.any()) return;
  check_jobs();
  for (auto& client : clients_) client->check_all_ended();
}

std::map<int, std::uint64_t> Simulation::ends() const {
  std::map<int, std::uint64_t> sum;
  for (const auto& client : clients_) {
    for (const auto& entry : client->ends()) sum[entry.first] += entry.second;
  }
  return sum;
}

// ---- while it runs

void Simulation::on_status(const msg::Status& status) {
  promises_.published(status);
  Watched& watched = watched_[index_.at(status.id)];
  const Instant now = events_.now();
  if (now < watched.excused_until || now < broker_excused_until_) return;
  if (status.link.state == msg::Link::kLost) {
    failures_.add(status.id + " was lost, and nothing had happened to it");
  }
  const bool well = watched.agent->compositor().well_since() + seconds(3) < now;
  if (status.verdict == msg::Verdict::kDown && well) {
    failures_.add(fmt::format("{} is shown as down, and is well: {}", status.id, status.reason));
  }
}

// ---- at the end

void Simulation::leave_some_broken() {
  failures_.note("the faults are over");
  for (Watched& watched : watched_) {
    disturb(watched, {});
    SimCompositor& compositor = watched.agent->compositor();
    if (random_.chance(1, 8)) {
      compositor.freeze(random_.chance(1, 2));
    } else if (random_.chance(1, 8)) {
      random_.chance(1, 2) ? compositor.kill() : compositor.exit(1);
    } else if (random_.chance(1, 8)) {
      compositor.set_output(1, msg::OutputState::kOff);
    }
  }
}

void Simulation::check_online(const Watched& watched) {
  const Instant now = events_.now();
  // Another fault since then, or one of the bus: it has a look of its own.
  if (now < watched.excused_until || now < broker_excused_until_) return;
  if (!watched.agent->online()) failures_.add(watched.agent->id() + " did not come back in time");
}

void Simulation::check_nobody_was_lost() {
  const broker::Counters& counters = broker_.core().counters();
  if (counters.agents_lost > 0) failures_.add(fmt::format("{} agents were lost without a fault", counters.agents_lost));
  if (counters.agents_registered > watched_.size()) failures_.add("an agent registered again without a fault");
}

void Simulation::check_truth() {
  for (Watched& watched : watched_) check_truth_of(watched);
}

// Every job that is on disk is told of as it is there, and none outlives its time to live without an end.
void Simulation::check_jobs() {
  for (const auto& [id, job] : ledger_.jobs()) {
    const msg::Value told = broker_.ask("bus.job", "get", msg::Value::map({{"job", id}}));
    const msg::Value* state = told.find("state");
    const bool waits = job.state == broker::JobState::kWaiting || job.state == broker::JobState::kRunning;
    // Its timer may have been armed by another calendar, and looks again each minute; then the last attempt's deadline.
    const bool overdue = job.expires_at.ms + to_ms(seconds(75)) < broker_.calendar().ms;
    if (waits && overdue) failures_.add(fmt::format("the job {} has no end", id));
    if (state == nullptr) {
      failures_.add(fmt::format("the job {} is on disk, and nobody knows of it", id));
    } else if (!waits && *state->if_string() != msg::name_of(job.state)) {
      failures_.add(fmt::format("the job {} is said to be {}", id, *state->if_string()));
    }
  }
}

void Simulation::check_truth_of(Watched& watched) {
  SimAgent& agent = *watched.agent;
  const auto wrong = [&](const std::string& what) { failures_.add("at the end, of " + agent.id() + ": " + what); };
  const msg::Value params = msg::Value::map({{"id", agent.id()}});
  const Result<msg::Status> status = msg::from_value<msg::Status>(broker_.ask("bus.status", "get", params));
  if (!status) return wrong("the broker says no status");
  if (status->link.state != msg::Link::kConnected) wrong("its link is " + std::string(name_of(status->link.state)));
  if (status->process.state != agent.process_truth()) {
    wrong("its process is said to be " + std::string(name_of(status->process.state)));
  }
  if (status->progress.state != agent.progress_truth()) {
    wrong("its progress is said to be " + std::string(name_of(status->progress.state)));
  }
  const SimCompositor& compositor = agent.compositor();
  bool all_on = true;
  if (compositor.running() && !compositor.frozen()) {
    SimCompositor::Outputs said;
    for (const msg::OutputFact& output : status->outputs) said.emplace_back(output.name, output.state);
    if (said != compositor.outputs()) wrong("its outputs are wrong");
    all_on = std::all_of(said.begin(), said.end(), [](const auto& o) { return o.second == msg::OutputState::kOn; });
  }
  const bool well = compositor.running() && !compositor.frozen() && all_on;
  const bool down = !compositor.running() || compositor.frozen();
  const msg::Verdict verdict = well ? msg::Verdict::kOk : down ? msg::Verdict::kDown : msg::Verdict::kDegraded;
  if (status->verdict != verdict) {
    wrong(fmt::format("the verdict is {} ({}), not {}", name_of(status->verdict), status->reason, name_of(verdict)));
  }
  if (well && !feed_.firing(agent.id(), true).empty()) wrong("an alert fires, and all is well");
  if (!well && feed_.firing(agent.id(), false).empty()) wrong("no alert fires");
  const msg::Status* published = feed_.status(agent.id());
  if (published == nullptr || published->verdict != status->verdict || published->reason != status->reason) {
    wrong("the feed says another thing than bus.status");
  }
  const msg::Value manifest = broker_.ask("bus.manifest", "get", params);
  const bool described = compositor.running() && !compositor.frozen();
  if (described && !describes(manifest.find("manifest"), compositor)) wrong("its manifest is an old one");
}

}  // namespace compositord::sim
