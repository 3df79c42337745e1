#include "tests/bench/process_usage.h"

#include <time.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "tests/bench/fatal.h"

namespace compositord::bench {

std::int64_t resident_kib(pid_t pid) {
  constexpr std::string_view kKey = "VmRSS:";
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kKey)) return std::strtoll(line.c_str() + kKey.size(), nullptr, 10);
  }
  fatal(fmt::format("process {} has no VmRSS", pid));
}

double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
    fatal(fmt::format("process {} has no times", pid));
  }
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace compositord::bench
