#include "broker/trace/crash_wait.h"

#include <signal.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <cstddef>

#include "common/base/check.h"

namespace compositord::broker {

namespace {

constexpr std::array<int, 5> kSignals{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr int kLooksMax = 200;
constexpr timespec kBetweenLooks{0, 5'000'000};

// A signal handler is given nothing but a number, so what it needs stands here. Written only while no handler is installed.
std::atomic<const std::atomic<bool>*> g_behind{nullptr};
std::array<struct sigaction, kSignals.size()> g_before;

// Only what signal-safety(7) allows. What was installed before decides in the end: a fault happens again as soon as this returns;
// a signal that somebody sent, as abort() does, is sent again, and comes when this has returned.
void wait_and_pass_on(int number, siginfo_t* info, void*) {
  const int saved_errno = errno;
  const std::atomic<bool>* behind = g_behind.load();
  for (int i = 0; behind != nullptr && behind->load() && i < kLooksMax; ++i) nanosleep(&kBetweenLooks, nullptr);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] == number) sigaction(number, &g_before[i], nullptr);
  }
  if (info->si_code <= 0) raise(number);
  errno = saved_errno;
}

}  // namespace

CrashWait::CrashWait(const std::atomic<bool>& behind) {
  CHECK(g_behind.exchange(&behind) == nullptr);
  struct sigaction action {};
  action.sa_sigaction = wait_and_pass_on;
  action.sa_flags = SA_SIGINFO;
  for (std::size_t i = 0; i < kSignals.size(); ++i) CHECK(sigaction(kSignals[i], &action, &g_before[i]) == 0);
}

CrashWait::~CrashWait() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &g_before[i], nullptr);
  g_behind.store(nullptr);
}

}  // namespace compositord::broker
