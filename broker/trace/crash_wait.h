#pragma once
// What led to a crash must not be lost in memory with it: the last input of a trace is the one that somebody will look for.

#include <atomic>

namespace compositord::broker {

// While it lives, a signal that kills this process for a mistake of its own (SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL) is
// held up until `behind` is false, a second at most, and then takes its course. One at a time in a process: what a signal
// does is the process's.
class CrashWait {
 public:
  // `behind` must outlive it: whether another thread still has something to write.
  explicit CrashWait(const std::atomic<bool>& behind);
  ~CrashWait();
  CrashWait(const CrashWait&) = delete;
  CrashWait& operator=(const CrashWait&) = delete;
};

}  // namespace compositord::broker
