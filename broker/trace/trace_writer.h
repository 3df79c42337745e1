#pragma once
// Writes a trace to a file, on a thread of its own: heartbeats never wait for a disk, and tracing is no exception. What the disk
// has not taken yet waits in memory; when that is full, or the disk fails, tracing stops and says so, and the broker goes on.
// A crash waits for it.

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "broker/core/record.h"
#include "broker/trace/crash_wait.h"
#include "broker/trace/trace_format.h"
#include "common/base/result.h"

namespace compositord::broker {

class TraceWriter {
 public:
  // Makes the file and writes what stands before the first input. Message bodies will be in it: only its owner may read it. A
  // trace that is there already is renamed to FILE.old: it may be the one that explains why the broker was started again.
  // Errors: kFailed, naming the file.
  static Result<std::unique_ptr<TraceWriter>> create(const std::filesystem::path& path, const TraceHeader& header,
                                                     const StoredState& stored);
  ~TraceWriter();
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  // Takes the body of a record of trace_format.h; does nothing once tracing has stopped, as it does for a record that is larger
  // than one may be. Never waits for the disk.
  void add(std::string_view body);
  // Why tracing has stopped, once.
  [[nodiscard]] std::optional<std::string> take_failure();
  // Waits until all that was added is written; nothing may be added after it.
  void finish();

 private:
  TraceWriter(int fd, std::filesystem::path path);
  void run();
  void fail_with(std::string_view why);  // the mutex is held, here and in the next
  void drop_waiting();

  const int fd_;
  const std::filesystem::path path_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string waiting_;
  std::string failure_;
  bool failed_ = false;
  bool finishing_ = false;
  std::atomic<bool> behind_{false};  // something that was added is not yet in the file
  std::thread thread_;
  std::optional<CrashWait> crash_wait_;
};

}  // namespace compositord::broker
