#include "tests/bench/process_usage.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
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
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(stat, line);
  // proc(5): field 2 is the name in parentheses, which may hold anything; utime and stime are fields 14 and 15.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) fatal(fmt::format("process {} has no times", pid));
  std::istringstream fields(line.substr(name_end + 1));
  constexpr int kFieldsBetween = 11;  // 3 … 13
  std::string skipped;
  for (int i = 0; i < kFieldsBetween; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace compositord::bench
