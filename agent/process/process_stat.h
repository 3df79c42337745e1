#pragma once
// /proc/PID/stat: the few fields that tell a process's state, its age, what it uses and how it ended.
// Source: proc(5), "/proc/pid/stat"; the bits of field 9: linux/include/linux/sched.h.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace compositord::agent {

struct ProcessStat {
  pid_t pid = 0;
  std::string command;                 // field 2, at most 15 bytes; may hold spaces and parentheses
  char state = '?';                    // field 3: R S D Z T t X I …
  bool is_exiting = false;             // field 9, PF_EXITING: it, or at least its first thread, is on its way out
  std::uint64_t cpu_time_ticks = 0;    // fields 14 and 15: in user and in kernel mode, all threads
  std::uint64_t start_time_ticks = 0;  // field 22, since boot: with the pid it names a process for good
  std::uint64_t rss_pages = 0;         // field 24; 0 where the kernel prints fewer fields
  std::optional<int> exit_status;      // field 52 in wait-status form; none where the kernel prints fewer fields
};

// Errors: kMalformed, naming the field.
Result<ProcessStat> parse_process_stat(std::string_view line);
// Errors: kNotFound when there is no such process (any more), kFailed otherwise.
Result<ProcessStat> read_process_stat(pid_t pid);
// Whether the process has a handler for the signal, of what /proc/PID/status says. Source: proc(5), SigCgt.
bool has_handler(std::string_view status, int signal);
bool has_handler(pid_t pid, int signal);  // false when it can't be read

}  // namespace compositord::agent
