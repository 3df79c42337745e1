#include "agent/process/process_environment.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "agent/process/file_descriptor.h"
#include "agent/process/process_stat.h"

namespace compositord::agent {

namespace {

// The kernel allows 128 KiB for one variable; real environments have some KiB.
constexpr std::size_t kEnvironmentBytesMax = std::size_t{256} << 10U;

std::optional<std::string> read_strings(const Peer& peer, const char* name) {
  if (peer.pid <= 0) return std::nullopt;
  const FileDescriptor file(::open(fmt::format("/proc/{}/{}", peer.pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return std::nullopt;
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < kEnvironmentBytesMax) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0) return std::nullopt;
    if (n == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const auto stat = read_process_stat(peer.pid);
  const bool same = stat && stat->start_time_ticks == peer.start_time_ticks;
  // What is empty tells nothing: a kernel thread's, or that of a process which is just ending.
  return same && !text.empty() ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace

std::optional<std::string> environment_of(const Peer& peer) { return read_strings(peer, "environ"); }

std::optional<std::vector<std::string>> arguments_of(const Peer& peer) {
  const auto text = read_strings(peer, "cmdline");
  if (!text) return std::nullopt;
  std::vector<std::string> arguments;
  for (std::size_t begin = 0; begin < text->size();) {
    const std::size_t end = std::min(text->find('\0', begin), text->size());
    arguments.push_back(text->substr(begin, end - begin));
    begin = end + 1;
  }
  return arguments;
}

}  // namespace compositord::agent
