#include "agent/process/hangup_signal.h"

#include <pthread.h>
#include <sys/signalfd.h>

#include <csignal>

#include "common/base/check.h"

namespace compositord::agent {

HangupSignal::HangupSignal() {
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  CHECK(pthread_sigmask(SIG_BLOCK, &hangup, nullptr) == 0);
  fd_ = FileDescriptor(signalfd(-1, &hangup, SFD_CLOEXEC | SFD_NONBLOCK));
  CHECK(fd_.is_open());
}

}  // namespace compositord::agent
