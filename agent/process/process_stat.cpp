#include "agent/process/process_stat.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "agent/process/file_descriptor.h"

namespace compositord::agent {

namespace {

template <class T>
bool to_number(std::string_view text, T& number) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

std::string_view next_field(std::string_view& rest) {
  const std::size_t space = rest.find(' ');
  const std::string_view field = rest.substr(0, space);
  rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
  return field;
}

}  // namespace

Result<ProcessStat> parse_process_stat(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  // The command may itself hold ") ", so its end is the last closing parenthesis of the line.
  const std::size_t open = line.find(" (");
  const std::size_t close = line.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2) {
    return fail(Status::kMalformed, "a process's stat line has no command in parentheses");
  }
  ProcessStat stat;
  if (!to_number(line.substr(0, open), stat.pid)) return fail(Status::kMalformed, "stat field 1 is no process id");
  stat.command = std::string(line.substr(open + 2, close - open - 2));
  std::string_view rest = line.substr(close + 2);
  const std::string_view state = next_field(rest);
  if (state.size() != 1) return fail(Status::kMalformed, "stat field 3 is no state letter");
  stat.state = state.front();

  constexpr int kFlagsField = 9;
  constexpr std::uint64_t kExitingFlag = 0x4;
  constexpr int kUserTimeField = 14;
  constexpr int kKernelTimeField = 15;
  constexpr int kStartTimeField = 22;
  constexpr int kRssField = 24;
  constexpr int kExitStatusField = 52;
  bool has_start_time = false;
  for (int number = 4; !rest.empty() && number <= kExitStatusField; ++number) {
    const std::string_view field = next_field(rest);
    std::uint64_t count = 0;
    if (number == kFlagsField && to_number(field, count)) stat.is_exiting = (count & kExitingFlag) != 0;
    const bool is_cpu_time = number == kUserTimeField || number == kKernelTimeField;
    if (is_cpu_time && to_number(field, count)) stat.cpu_time_ticks += count;
    if (number == kRssField && to_number(field, count)) stat.rss_pages = count;
    if (number == kStartTimeField) has_start_time = to_number(field, stat.start_time_ticks);
    int status = 0;
    if (number == kExitStatusField && to_number(field, status)) stat.exit_status = status;
  }
  if (!has_start_time) return fail(Status::kMalformed, "stat field 22 is no start time");
  return stat;
}

Result<ProcessStat> read_process_stat(pid_t pid) {
  const std::string path = fmt::format("/proc/{}/stat", pid);
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto gone = [&] { return fail(Status::kNotFound, fmt::format("there is no process {}", pid)); };
  if (!file.is_open()) {
    if (errno == ENOENT || errno == ESRCH) return gone();
    return fail(Status::kFailed, fmt::format("{} can't be opened: {}", path, std::strerror(errno)));
  }
  std::array<char, 4096> buffer{};  // 52 numbers and a short name: the kernel prints it in one piece
  const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
  if (n < 0 && errno == ESRCH) return gone();
  if (n <= 0) return fail(Status::kFailed, fmt::format("{} can't be read", path));
  return parse_process_stat(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
}

bool has_handler(std::string_view status, int signal) {
  constexpr std::string_view kKey = "\nSigCgt:\t";
  const std::size_t at = status.find(kKey);
  if (at == std::string_view::npos || signal < 1 || signal > 64) return false;
  const std::string_view digits = status.substr(at + kKey.size(), 16);
  std::uint64_t mask = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
  return error == std::errc() && (mask >> static_cast<unsigned>(signal - 1) & 1U) != 0;
}

bool has_handler(pid_t pid, int signal) {
  const FileDescriptor file(::open(fmt::format("/proc/{}/status", pid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return false;
  std::array<char, 4096> buffer{};  // some 60 short lines, with the signals before the long lists of processors
  const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
  return n > 0 && has_handler(std::string_view(buffer.data(), static_cast<std::size_t>(n)), signal);
}

}  // namespace compositord::agent
