#pragma once
// LogEvent -> lines: on standard error, in a rotating status log, to journald and to syslog. Standard output stays free for
// what a program was asked for.
//
// Whatever becomes of a place where lines go, the program goes on: the file is written by a thread of its own, datagrams are
// sent without waiting, and what fails is said once on standard error. Standard error itself gets what it has room for; how many
// lines it lost is said there when it has room again (log.lines_lost).

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/log_event.h"

namespace compositord::log {

using compositord::severity_from_name;
inline constexpr std::array<std::string_view, 4> kSeverityNames{"debug", "info", "warning", "error"};

// The status log: <directory>/<program>.log, and <program>.1.log (the youngest) and so on.
struct StatusLog {
  std::filesystem::path directory;  // is created when it is missing
  bool json = false;                // one JSON object a line
  std::size_t rotate_bytes = 16U << 20U;
  std::size_t rotate_files = 5;                      // old ones that are kept
  std::chrono::milliseconds try_again_after{5'000};  // when it could not be written
};

struct Places {
  bool standard_error = true;
  int standard_error_fd = STDERR_FILENO;
  std::optional<StatusLog> file;
  std::string journal_socket;  // a datagram socket that speaks journald's own protocol, or empty
  std::string syslog_socket;   // one that takes RFC 3164, or empty
};
inline constexpr std::string_view kJournalSocket = "/run/systemd/journal/socket";
inline constexpr std::string_view kSyslogSocket = "/dev/log";

class Logger {
 public:
  // `program` stands in each line. Events below `threshold` are dropped.
  Logger(std::string_view program, Severity threshold, const Places& places = {});
  ~Logger();  // what was written is in the file afterwards
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void write(const LogEvent& event);
  // From the next event on. On the thread that writes.
  void set_threshold(Severity threshold) noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::log
