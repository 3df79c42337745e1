#pragma once
// /proc/PID/stat: the few fields that tell a process's state, its age and how it ended.
// Source: proc(5), "/proc/pid/stat".

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
  std::uint64_t start_time_ticks = 0;  // field 22, since boot: with the pid it names a process for good
  std::optional<int> exit_status;      // field 52 in wait-status form; none where the kernel prints fewer fields
};

// Errors: kMalformed, naming the field.
Result<ProcessStat> parse_process_stat(std::string_view line);
// Errors: kNotFound when there is no such process (any more), kFailed otherwise.
Result<ProcessStat> read_process_stat(pid_t pid);

}  // namespace compositord::agent
