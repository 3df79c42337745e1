#include "common/net/stop_signal.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "common/base/check.h"

namespace compositord::net {

StopSignal::StopSignal() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  CHECK(pthread_sigmask(SIG_BLOCK, &stop, nullptr) == 0);
  fd_ = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK(fd_ >= 0);
  // A peer that closes its end is an error code of a write, not the end of this program.
  CHECK(std::signal(SIGPIPE, SIG_IGN) != SIG_ERR);
}

StopSignal::~StopSignal() { close(fd_); }

}  // namespace compositord::net
