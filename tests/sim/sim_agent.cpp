#include "tests/sim/sim_agent.h"

#include <utility>

#include "common/wire/mdp_codec.h"

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;

constexpr Duration kLatenessMin = milliseconds(100);  // as in agent/io

bool may_be_said_twice(const wire::Frames& frames) {
  const auto parsed = wire::parse_at_broker(wire::Frames(frames));
  return parsed && (std::holds_alternative<wire::mdp::Heartbeat>(parsed->message) ||
                    std::holds_alternative<wire::mdp::WorkerReply>(parsed->message));
}

}  // namespace

SimAgent::SimAgent(EventQueue& events, std::uint64_t seed, SimBroker& broker, Digest& digest, Failures& failures,
                   Ledger& ledger, agent::AgentConfig config)
    : events_(events),
      random_(seed),
      digest_(digest),
      failures_(failures),
      ledger_(ledger),
      config_(std::move(config)),
      id_(config_.id.value()),
      compositor_(events, id_.substr(id_.find('/') + 1)),
      link_(events, random_.next(), broker, id_,
            {[this] { push(agent::input::BusConnected{}); }, [this] { push(agent::input::BusDisconnected{}); },
             [this](wire::Frames frames) { push(agent::input::Received{std::move(frames)}); }}),
      loop_(events, failures, kLatenessMin,
            {[this](Duration lateness) { turn(lateness); }, [this] { return core_->next_deadline(); }}) {
  compositor_.set_watcher({[this] { find_compositor(); },
                           [this](const agent::ProcessEnd& process_end) { compositor_ended(process_end); },
                           [this] { tell_outputs(milliseconds(2)); }});
}

// ---- the process

void SimAgent::start() {
  if (up()) return;
  ++life_;
  core_ = std::make_unique<agent::AgentCore>(config_, random_.next(), events_.now());
  witnessed_end_.reset();
  step(agent::input::CalendarSet{unix_ms_at_origin_});
  link_.open();
  loop_.start();
  find_compositor();
}

void SimAgent::end() {
  ++life_;
  loop_.stop();
  core_.reset();
  out_.clear();
  pending_.clear();
  detach();
}

void SimAgent::kill() {
  if (!up()) return;
  end();
  link_.close();
}

void SimAgent::vanish() {
  end();
  link_.vanish();
  compositor_.kill();
}

void SimAgent::ask_to_stop() { push(agent::input::Stop{}); }

void SimAgent::set_calendar(std::int64_t unix_ms_at_origin) {
  unix_ms_at_origin_ = unix_ms_at_origin;
  push(agent::input::CalendarSet{unix_ms_at_origin});
}

void SimAgent::push(agent::Input input) {
  if (!up()) return;
  pending_.push_back(std::move(input));
  loop_.wake();
}

void SimAgent::turn(Duration lateness) {
  if (lateness > Duration{}) step(agent::input::Stalled{lateness});
  for (agent::Input& input : std::exchange(pending_, {})) step(std::move(input));
  step(agent::input::Tick{});
  apply_outputs();
}

void SimAgent::step(agent::Input input) {
  core_->step(events_.now(), std::move(input), out_);
  if (!core_->check_invariants()) failures_.add("the invariants of the agent of " + id_ + " do not hold");
}

void SimAgent::apply_outputs() {
  agent::Outputs out = std::exchange(out_, {});
  for (const LogEvent& event : out.log) {
    std::string text = id_ + ": " + to_text(event);
    digest_.add(text);
    failures_.note(std::move(text));
  }
  if (out.new_socket) link_.open();
  for (wire::Frames& frames : out.sends) {
    digest_.add(frames);
    send(std::move(frames));
  }
  if (out.look_at_process && attached_) {
    const bool stopped = compositor_.stopped();
    const char* cause = stopped ? "stopped" : compositor_.frozen() ? "spinning" : "";
    from_driver(driver_, agent::driver_event::CauseSeen{stopped, cause});
  }
  if (out.start_probe && attached_) {
    compositor_.when_it_answers(random_.between(milliseconds(1), milliseconds(20)), [this, driver = driver_] {
      from_driver(driver, agent::driver_event::ProbeAnswered{});
    });
  }
  for (const agent::Execute& command : out.executes) execute(command);
  if (out.finished) kill();
}

void SimAgent::send(wire::Frames frames) {
  if (stutter_ > 0 && may_be_said_twice(frames)) {
    --stutter_;
    link_.send(frames);
  }
  link_.send(std::move(frames));
}

// ---- the driver

void SimAgent::find_compositor() {
  // Its socket is found, and accepts a connection also while it is frozen.
  if (!up() || attached_) return;
  events_.after(random_.between(milliseconds(5), milliseconds(60)), [this, life = life_] {
    if (life == life_ && up() && compositor_.running() && !attached_) attach();
  });
}

void SimAgent::attach() {
  attached_ = true;
  const std::uint64_t driver = ++driver_;
  witnessed_end_.reset();
  push(agent::input::DriverStarted{});
  compositor_.when_it_answers(random_.between(milliseconds(10), milliseconds(60)), [this, driver] {
    from_driver(driver, agent::driver_event::Described{compositor_.manifest()});
    from_driver(driver, agent::driver_event::OutputsChanged{compositor_.outputs()});
  });
}

void SimAgent::from_driver(std::uint64_t driver, agent::DriverEvent event) {
  if (up() && attached_ && driver == driver_) push(agent::input::FromDriver{std::move(event)});
}

void SimAgent::tell_outputs(Duration delay) {
  if (!attached_) return;
  compositor_.when_it_answers(delay, [this, driver = driver_] {
    from_driver(driver, agent::driver_event::OutputsChanged{compositor_.outputs()});
  });
}

void SimAgent::compositor_ended(const agent::ProcessEnd& process_end) {
  if (!attached_) return;
  events_.after(random_.between(milliseconds(1), milliseconds(6)), [this, driver = driver_, process_end] {
    if (!up() || driver != driver_) return;
    witnessed_end_ = process_end;
    from_driver(driver, agent::driver_event::Gone{process_end, "its process ended"});
    detach();
    find_compositor();  // a new one may be there already
  });
}

void SimAgent::execute(const agent::Execute& execute) {
  const std::uint64_t command = execute.command_id;
  if (!attached_) return;
  msg::Value result = msg::Value::map();
  const msg::Value* mark = execute.params.find("mark");
  if (mark != nullptr && mark->is_string()) result.set("run", ledger_.run(*mark->if_string()));
  if (random_.chance(1, 20)) return;  // one that never ends
  const bool slow = random_.chance(1, 10);
  const Duration takes = slow ? random_.between(milliseconds(500), milliseconds(9'000))
                              : random_.between(milliseconds(1), milliseconds(50));
  compositor_.when_it_answers(takes, [this, driver = driver_, command, result] {
    from_driver(driver, agent::driver_event::CommandFinished{command, Status::kDone, {}, result});
  });
}

// ---- the truth

msg::Process SimAgent::process_truth() const {
  if (compositor_.running()) return compositor_.stopped() ? msg::Process::kStopped : msg::Process::kRunning;
  if (!witnessed_end_) return msg::Process::kUnknown;
  return witnessed_end_->signal ? msg::Process::kKilled : msg::Process::kExited;
}

msg::Progress SimAgent::progress_truth() const {
  if (!compositor_.running()) return msg::Progress::kUnknown;
  return compositor_.frozen() ? msg::Progress::kFrozen : msg::Progress::kOk;
}

}  // namespace compositord::sim
