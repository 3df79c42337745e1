#include "common/net/hangup_signal.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include "common/base/check.h"

namespace compositord::net {

HangupSignal::HangupSignal() {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  CHECK(pthread_sigmask(SIG_BLOCK, &hangup, nullptr) == 0);
  fd_ = signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK);
  CHECK(fd_ >= 0);
}

HangupSignal::~HangupSignal() { close(fd_); }

}  // namespace compositord::net
