#include "agent/process/socket_clients.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <set>
#include <vector>

#include "agent/process/file_descriptor.h"

namespace compositord::agent {

namespace {

constexpr std::size_t kTableBytesMax = std::size_t{1} << 20U;

// The next word, and the rest behind the blanks that follow it.
std::string_view take_word(std::string_view& row) {
  const std::size_t end = std::min(row.find(' '), row.size());
  const std::string_view word = row.substr(0, end);
  row.remove_prefix(std::min(row.find_first_not_of(' ', end), row.size()));
  return word;
}

std::optional<std::uint32_t> hexadecimal(std::string_view text) {
  std::uint32_t number = 0;
  const char* end = text.data() + text.size();
  const auto [read_to, error] = std::from_chars(text.data(), end, number, 16);
  if (error != std::errc{} || read_to != end) return std::nullopt;
  return number;
}

// Empty for what is no Unix socket, is not connected, or is connected to one without a name.
std::string name_of_peer(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  constexpr std::size_t kBegin = offsetof(sockaddr_un, sun_path);
  if (address.sun_family != AF_UNIX || size <= kBegin) return {};
  const std::string name(static_cast<const char*>(address.sun_path),
                         std::min<std::size_t>(size - kBegin, sizeof address.sun_path));
  return name.front() == '\0' ? name : name.substr(0, name.find('\0'));
}

// How many sockets of this process are connected to the listener of that name.
std::optional<std::uint64_t> own_connections(const std::string& name) {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return std::nullopt;
  std::set<ino_t> sockets;  // a socket may have several descriptors
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view text = entry->d_name;
    int fd = -1;
    const auto [read_to, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
    struct stat facts {};
    if (error == std::errc{} && name_of_peer(fd) == name && ::fstat(fd, &facts) == 0) sockets.insert(facts.st_ino);
  }
  ::closedir(folder);
  return sockets.size();
}

// False when there is no such table for us, or it is too long.
bool read_table(SocketTally& tally) {
  const FileDescriptor table(::open("/proc/self/net/unix", O_RDONLY | O_CLOEXEC));
  if (!table.is_open()) return false;
  std::vector<char> buffer(std::size_t{32} << 10U);
  for (std::size_t bytes = 0; bytes <= kTableBytesMax;) {
    const ssize_t count = ::read(table.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count == 0;
    bytes += static_cast<std::size_t>(count);
    tally.take({buffer.data(), static_cast<std::size_t>(count)});
  }
  return false;
}

}  // namespace

SocketTally::SocketTally(std::string name) : name_(std::move(name)) {
  std::replace(name_.begin(), name_.end(), '\0', '@');
}

void SocketTally::take(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    too_long_ = too_long_ || row_.size() + part.size() > kRowBytesMax;
    if (!too_long_) row_ += part;
    if (end == std::string_view::npos) return;
    if (!too_long_) take_row(row_);
    row_.clear();
    too_long_ = false;
    piece.remove_prefix(end + 1);
  }
}

void SocketTally::take_row(std::string_view row) {
  // Source: linux/net.h, socket_state; SOCK_STREAM; __SO_ACCEPTCON.
  constexpr std::uint32_t kUnconnected = 1;
  constexpr std::uint32_t kConnecting = 2;
  constexpr std::uint32_t kConnected = 3;
  constexpr std::uint32_t kStream = 1;
  constexpr std::uint32_t kListens = 1U << 16U;
  if (!take_word(row).ends_with(':')) return;
  take_word(row);  // how many refer to it
  take_word(row);  // the protocol
  const auto flags = hexadecimal(take_word(row));
  const auto type = hexadecimal(take_word(row));
  const auto state = hexadecimal(take_word(row));
  take_word(row);  // the inode
  if (!flags || !state || type != kStream || row.empty() || row != name_) return;
  listens_ = listens_ || (state == kUnconnected && (*flags & kListens) != 0);
  if (state == kConnected) ++accepted_;
  if (state == kConnecting) ++waiting_;
}

std::optional<driver_event::ClientsSeen> look_at_clients(int connection) {
  const std::string name = name_of_peer(connection);
  if (name.empty()) return driver_event::ClientsSeen{};
  SocketTally tally(name);
  // Where the listener isn't in our table it lives in another network namespace, and so may its clients.
  if (!read_table(tally) || !tally.listens()) return driver_event::ClientsSeen{};
  const auto own = own_connections(name);
  if (!own) return driver_event::ClientsSeen{};
  if (tally.waiting() > 0) return std::nullopt;
  return driver_event::ClientsSeen{tally.accepted() - std::min(tally.accepted(), *own)};
}

}  // namespace compositord::agent
