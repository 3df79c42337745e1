#include "agent/process/process_watch.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "agent/process/pidfd_info.h"
#include "agent/process/process_stat.h"

namespace compositord::agent {

namespace {

// The kernel prints 0 for a zombie's exit status to those who may not look into it. The exe link obeys the same rule,
// and says EACCES to them where everybody else gets ENOENT (a zombie has no executable any more).
bool may_look_into(pid_t pid) {
  char byte = 0;
  const std::string link = fmt::format("/proc/{}/exe", pid);
  return ::readlink(link.c_str(), &byte, 1) >= 0 || (errno != EACCES && errno != EPERM);
}

}  // namespace

Result<ProcessWatch> ProcessWatch::open(const Peer& peer) {
  return open_pidfd(peer).map([&](FileDescriptor&& pidfd) { return ProcessWatch(std::move(pidfd), peer); });
}

void ProcessWatch::poll_fds(std::vector<pollfd>& fds) const {
  if (end_) return;
  // A pidfd stays readable after the process's end. While only the cause is missing, wait for POLLHUP alone, which comes
  // when it is reaped: else the loop would spin.
  const short events = give_up_at_ == kNever ? POLLIN : 0;
  fds.push_back(pollfd{pidfd_.get(), events, 0});
}

std::optional<ProcessEnd> ProcessWatch::service(Instant now) {
  if (end_) return end_;
  pollfd ready{pidfd_.get(), POLLIN, 0};
  if (::poll(&ready, 1, 0) <= 0) return std::nullopt;
  if (const auto status = exit_status()) {
    end_ = end_from_wait_status(*status);
  } else if (give_up_at_ == kNever) {
    give_up_at_ = now + kCauseWait;
  } else if (now >= give_up_at_) {
    end_ = ProcessEnd{};
  }
  if (end_) give_up_at_ = kNever;
  return end_;
}

std::optional<int> ProcessWatch::exit_status() const {
  if (const auto status = exit_status_from_pidfd(pidfd_.get())) return status;
  const auto stat = read_process_stat(peer_.pid);
  if (stat && stat->start_time_ticks == peer_.start_time_ticks) {
    const bool ended = stat->state == 'Z' || stat->state == 'X';
    if (!ended || !stat->exit_status) return std::nullopt;
    if (*stat->exit_status == 0 && !may_look_into(peer_.pid)) return std::nullopt;
    return stat->exit_status;
  }
  // It was reaped between the two looks: now the pidfd knows.
  return exit_status_from_pidfd(pidfd_.get());
}

bool ProcessWatch::is_exiting() const {
  const auto stat = read_process_stat(peer_.pid);
  return stat && stat->start_time_ticks == peer_.start_time_ticks && stat->is_exiting;
}

driver_event::CauseSeen ProcessWatch::look() const {
  const auto stat = read_process_stat(peer_.pid);
  if (!stat || stat->start_time_ticks != peer_.start_time_ticks) return {};
  switch (stat->state) {
    case 'T':  // by a signal
    case 't':  // by a debugger
      return {true, "stopped"};
    case 'R': return {false, "spinning"};
    case 'D': return {false, "waiting for I/O"};
    default: return {};
  }
}

ProcessEnd end_from_wait_status(int status) noexcept {
  ProcessEnd end;
  if (WIFEXITED(status)) {
    end.code = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
  }
  return end;
}

std::string describe_end(const ProcessEnd& end) {
  if (end.code) return fmt::format("exited with code {}", *end.code);
  if (!end.signal) return "ended, and the kernel did not tell how";
  const char* name = ::sigabbrev_np(*end.signal);
  if (name == nullptr) return fmt::format("killed by signal {}", *end.signal);
  return fmt::format("killed by signal {} (SIG{})", *end.signal, name);
}

}  // namespace compositord::agent
