#include "agent/process/late_reaping.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

namespace compositord::agent {

namespace {

constexpr int kUsualTimeMs = 50;  // to die takes a killed process less

}  // namespace

void reap_killed(pid_t pid, FileDescriptor pidfd) noexcept {
  pollfd ended{pidfd.get(), POLLIN, 0};
  ::poll(&ended, 1, kUsualTimeMs);
  if (::waitpid(pid, nullptr, WNOHANG) != 0 || !pidfd.is_open()) return;
  // Signals are the other threads' to take.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    // By its descriptor: its number may be another's, when somebody else in this process reaps it first.
    std::thread([pidfd = std::move(pidfd)] {
      siginfo_t info{};
      while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) != 0 && errno == EINTR) continue;
    }).detach();
  } catch (const std::system_error&) {  // no thread to be had: it costs an entry in the table of processes
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace compositord::agent
