#include "agent/io/agent_loop.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "agent/process/process_usage.h"
#include "agent/process/process_watch.h"
#include "common/base/clock.h"

namespace compositord::agent {

namespace {

constexpr int kMessagesPerTurnMax = 64;
constexpr std::int64_t kCalendarJumpMs = 20;
// Smaller delays are the machine's noise; the core would only write log lines about them.
constexpr Duration kLatenessMin = std::chrono::milliseconds(100);

// The compositor's output, to where it would have gone without us. A reader that does not read costs lines, not time.
void pass_on(std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd ready{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return;
    // A pipe that is ready takes PIPE_BUF bytes without blocking.
    const ssize_t n = ::write(STDERR_FILENO, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

AgentLoop::AgentLoop(net::ZmqContext& context, std::string broker, BrokerLink link, DisplayWatch& display,
                     log::Logger& logger, int signal_fd)
    : context_(context),
      broker_(std::move(broker)),
      link_(std::move(link)),
      display_(display),
      logger_(logger),
      signal_fd_(signal_fd) {}

void AgentLoop::supervise(ChildCommand command, int hangup_fd) {
  command_ = std::move(command);
  hangup_fd_ = hangup_fd;
  display_.expect_session(0, monotonic_now());
}

void AgentLoop::run(AgentCore& core) {
  last_turn_ = monotonic_now();
  while (!outputs_.finished) {
    outputs_.clear();
    turn(core);
  }
}

Instant AgentLoop::next_deadline(const AgentCore& core) const {
  const Instant launched = launcher_ ? launcher_->next_deadline() : kNever;
  const Instant told =
      std::min(witness_ ? witness_->next_deadline() : kNever, late_witness_ ? late_witness_->next_deadline() : kNever);
  return std::min(
      {core.next_deadline(), driver_ ? driver_->next_deadline() : display_.next_deadline(), launched, told});
}

void AgentLoop::turn(AgentCore& core) {
  const Instant planned = next_deadline(core);
  wait(planned);
  const Instant now = monotonic_now();
  set_calendar(core, now);
  const Duration lateness = now - std::max(planned, last_turn_);
  if (lateness > kLatenessMin) core.step(now, input::Stalled{lateness}, outputs_);
  last_turn_ = now;
  if (stop_asked_ && !std::exchange(stop_told_, true)) core.step(now, input::Stop{}, outputs_);
  take_bus(core, now);
  serve_child(core, now);      // before the display: as its parent we know best how it ended
  serve_witnesses(core, now);  // before the display, whose driver may say now that it is gone
  serve_display(core, now);
  core.step(now, input::Tick{}, outputs_);
  apply_child(core, now);
  apply_outputs(now);
  take_driver_outputs(core, now);  // what start_probe and execute answered at once
  apply_child(core, now);
  apply_outputs(now);
}

void AgentLoop::wait(Instant planned) {
  poller_.clear();
  poller_.add_socket(link_.bus().handle());
  poller_.add_socket(link_.monitor().handle());
  const std::size_t signal = poller_.add_fd(signal_fd_, POLLIN);
  fds_.clear();
  driver_ ? driver_->poll_fds(fds_) : display_.poll_fds(fds_);
  if (child_) child_->poll_fds(fds_);
  if (launcher_) launcher_->poll_fds(fds_);
  if (witness_) witness_->poll_fds(fds_);
  if (late_witness_) late_witness_->poll_fds(fds_);
  if (hangup_fd_ >= 0) fds_.push_back(pollfd{hangup_fd_, POLLIN, 0});
  for (const pollfd& fd : fds_) poller_.add_fd(fd.fd, fd.events);
  const bool more = !driver_outputs_.events.empty();
  poller_.wait(more ? Duration{} : planned - monotonic_now());
  stop_asked_ |= !stop_told_ && poller_.ready(signal);
}

void AgentLoop::take_bus(AgentCore& core, Instant now) {
  // The monitor is read first and told last. First, because receive() makes libzmq notice a new connection, without which the
  // register that answers kReady could not be sent. Last, because what was received before a close may end a session in peace.
  std::vector<net::ConnectionEvent> changes;
  while (const auto event = link_.monitor().receive()) changes.push_back(*event);
  for (int i = 0; i < kMessagesPerTurnMax; ++i) {
    net::Received received = link_.bus().receive();
    if (received.outcome == net::ReceiveOutcome::kNothing) break;
    if (received.outcome == net::ReceiveOutcome::kTooLarge) {
      core.step(now, input::TooLarge{}, outputs_);
    } else {
      core.step(now, input::Received{std::move(received.frames)}, outputs_);
    }
  }
  for (const net::ConnectionEvent& event : changes) {
    if (event.change == net::ConnectionChange::kReady) core.step(now, input::BusConnected{}, outputs_);
    if (event.change == net::ConnectionChange::kDisconnected) core.step(now, input::BusDisconnected{}, outputs_);
  }
}

void AgentLoop::serve_child(AgentCore& core, Instant now) {
  pass_on_hangup();
  if (!child_) return;
  ChildProcess::News news = child_->service();
  if (!news.output.empty()) {
    pass_on(news.output);
    core.step(now, input::ChildPrinted{std::move(news.output)}, outputs_);
  }
  if (news.executed) {
    display_.expect_session(child_->pid(), now);
    core.step(now, input::ChildStarted{child_->pid()}, outputs_);
  }
  if (!news.exec_error.empty()) {
    child_.reset();
    core.step(now, input::ChildStartFailed{std::move(news.exec_error)}, outputs_);
  }
  if (!news.end) return;
  child_.reset();
  // What the driver still has to say is of a compositor that is gone; the core ends its commands.
  driver_outputs_.events.clear();
  driver_.reset();
  measured_.reset();
  display_.search_again(now);
  display_.expect_session(0, now);
  core.step(now, input::ChildEnded{*news.end, describe_end(*news.end)}, outputs_);
}

void AgentLoop::pass_on_hangup() {
  signalfd_siginfo info{};
  if (hangup_fd_ < 0 || ::read(hangup_fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return;
  const bool sent = child_ && child_->signal(static_cast<int>(info.ssi_signo));
  logger_.write(LogEvent(Severity::kInfo, "supervisor.hangup").with("passed_on", sent ? "yes" : "no: nothing runs"));
}

void AgentLoop::apply_child(AgentCore& core, Instant now) {
  if (std::exchange(outputs_.start_child, false) && command_) {
    auto child = ChildProcess::start(*command_);
    if (child) {
      child_.emplace(std::move(*child));
    } else {
      core.step(now, input::ChildStartFailed{child.error().text}, outputs_);
    }
  }
  const std::optional<ChildSignal> signal = std::exchange(outputs_.signal_child, std::nullopt);
  if (!signal || !child_) return;
  // One that is gone meanwhile is news of its own.
  if (*signal == ChildSignal::kKill) {
    static_cast<void>(child_->signal_group(SIGKILL));
    return;
  }
  // To the program alone: weston whose shell is ended with it calls that a failure. Whoever wraps a compositor passes it on.
  static_cast<void>(child_->signal(SIGTERM));
  static_cast<void>(child_->signal(SIGCONT));  // a stopped one would not hear it
}

void AgentLoop::serve_display(AgentCore& core, Instant now) {
  if (driver_) {
    driver_->service(now, driver_outputs_);
  } else if ((driver_ = display_.service(now, driver_outputs_))) {
    core.step(now, input::DriverStarted{}, outputs_);
    driver_->service(now, driver_outputs_);
  }
  if (launcher_) launcher_->service(now, driver_outputs_);
  take_driver_outputs(core, now);
}

void AgentLoop::serve_witnesses(AgentCore& core, Instant now) {
  if (witness_) witness_->service(now, driver_outputs_);
  if (!late_witness_) return;
  late_witness_->service(now, driver_outputs_);
  if (auto told = late_witness_->told()) {
    late_witness_.reset();
    core.step(now, input::EndTold{std::move(*told)}, outputs_);
  } else if (late_witness_->is_over()) {
    late_witness_.reset();
  }
}

void AgentLoop::measure(const msg::Manifest& manifest) {
  const auto pid = static_cast<pid_t>(manifest.pid);
  if (measured_ && measured_->pid == pid) return;
  measured_.reset();
  if (pid == 0) return;
  if (const auto peer = identify_process(pid)) measured_ = *peer;
}

void AgentLoop::watch_end(const msg::Manifest& manifest) {
  const auto pid = static_cast<pid_t>(manifest.pid);
  if (!asks_systemd_ || pid == 0 || (witness_ && witness_->pid() == pid)) return;
  witness_.reset();
  // One that is gone already is not asked for: its unit can't be found any more.
  const auto peer = identify_process(pid);
  if (!peer) return;
  auto witness = systemd::EndWitness::watch(*peer, manifest.name);
  if (witness) witness_.emplace(std::move(*witness));
}

// The status goes out at once, with what is known; systemd's answer may come before it or after it.
void AgentLoop::ask_how_it_ended(driver_event::Gone& gone) {
  if (!witness_) return;
  const bool is_known = gone.end.code || gone.end.signal;
  if (!is_known) {
    if (auto told = witness_->told()) {
      gone = std::move(*told);
    } else {
      late_witness_ = std::move(witness_);
    }
  }
  witness_.reset();
}

void AgentLoop::take_driver_outputs(AgentCore& core, Instant now) {
  for (const LogEvent& event : driver_outputs_.log) logger_.write(event);
  for (DriverEvent& event : std::exchange(driver_outputs_.events, {})) {
    const bool gone = std::holds_alternative<driver_event::Gone>(event);
    if (gone && child_) {
      serve_child(core, now);  // it may have ended since we looked, and its parent's word is the exact one
      if (!child_) break;
    }
    if (const auto* described = std::get_if<driver_event::Described>(&event)) {
      measure(described->manifest);
      watch_end(described->manifest);
    }
    if (auto* end = std::get_if<driver_event::Gone>(&event)) ask_how_it_ended(*end);
    core.step(now, input::FromDriver{std::move(event)}, outputs_);
    if (!gone) continue;
    driver_.reset();
    measured_.reset();
    display_.search_again(now);
    break;  // a driver's last event
  }
  driver_outputs_.log.clear();
}

void AgentLoop::set_calendar(AgentCore& core, Instant now) {
  const std::int64_t offset = unix_now().ms - now.ns() / 1'000'000;
  if (std::llabs(offset - unix_ms_at_origin_) <= kCalendarJumpMs) return;
  unix_ms_at_origin_ = offset;
  core.step(now, input::CalendarSet{offset}, outputs_);
}

void AgentLoop::execute(const Execute& execute, Instant now) {
  if (execute.method == kLaunchName && launcher_) {
    launcher_->launch(execute.command_id, execute.params, display_.connected_path(), now, execute.deadline,
                      driver_outputs_);
    return;
  }
  driver_->execute(execute.command_id, execute.method, execute.params, now, execute.deadline, driver_outputs_);
}

void AgentLoop::apply_outputs(Instant now) {
  if (outputs_.new_socket) {
    // The endpoint was understood when the program started, so it is understood again.
    if (Result<BrokerLink> link = BrokerLink::open(context_, broker_)) link_ = std::move(*link);
  }
  for (wire::Frames& frames : outputs_.sends) {
    // A message that can't be sent belongs to a session that is ending: the monitor or the silence will tell the core.
    if (link_.bus().send(std::move(frames)) != net::SendOutcome::kSent) {
      logger_.write(LogEvent(Severity::kDebug, "bus.not_sent"));
    }
  }
  if (driver_) {
    if (outputs_.look_at_process) driver_->look_at_process(driver_outputs_);
    if (outputs_.look_at_usage && measured_) {
      if (const auto usage = look_at_usage(*measured_)) driver_outputs_.events.emplace_back(*usage);
    }
    if (outputs_.look_at_usage) driver_->count_clients(now, driver_outputs_);
    if (outputs_.start_probe) driver_->start_probe(now, driver_outputs_);
    for (const Execute& one : outputs_.executes) execute(one, now);
  }
  for (const LogEvent& event : outputs_.log) logger_.write(event);
  const bool finished = outputs_.finished;
  outputs_.clear();
  outputs_.finished = finished;
}

}  // namespace compositord::agent
