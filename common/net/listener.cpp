#include "common/net/listener.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/net/peer_name.h"

namespace compositord::net {

namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kIpc = "ipc://";
// The system's default stalls a connect storm of 10 000 agents for 15 s.
constexpr int kBacklog = 4'096;
// A host that vanished is noticed after two minutes, so that its connection and its routing id are free again (that its agent is
// gone, heartbeats tell far sooner), and so is who takes nothing of what was sent. TCP_USER_TIMEOUT decides both, in place of the
// count of keepalive's questions. Source: tcp(7).
constexpr int kQuietSeconds = 60;
constexpr int kAskSeconds = 15;
constexpr int kUnreadMs = 120'000;
constexpr int kSocketFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

tl::unexpected<Error> bind_error(const std::string& endpoint, int error) {
  if (error == EADDRINUSE) {
    return fail(Status::kConflict, fmt::format("bind {}: another program already listens there", endpoint));
  }
  return fail(Status::kFailed, fmt::format("bind {}: {}", endpoint, std::strerror(error)));
}

tl::unexpected<Error> no_endpoint(const std::string& endpoint) {
  return fail(Status::kMalformed, fmt::format("bind {}: not an endpoint (tcp://ADDRESS:PORT, ipc:///PATH)", endpoint));
}

// A number that a port can have, or * for a free one. getaddrinfo takes the rest modulo 65536.
bool is_port(std::string_view text) {
  if (text == "*") return true;
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;
};

Address copy_of(const sockaddr* address, socklen_t size) {
  Address copy;
  std::memcpy(&copy.bytes, address, size);
  copy.size = size;
  return copy;
}

// The first IPv4 address of a network interface.
std::optional<Address> address_of_interface(const std::string& name) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> kept(all, &freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (name == one->ifa_name && one->ifa_addr != nullptr && one->ifa_addr->sa_family == AF_INET) {
      return copy_of(one->ifa_addr, sizeof(sockaddr_in));
    }
  }
  return std::nullopt;
}

// `host`: an address, a name, an interface or *.
std::optional<Address> address_of(std::string_view host, const std::string& port) {
  const bool is_bracketed = host.size() >= 2 && host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  // libzmq's peers look for IPv4 first, and for nothing else by default.
  hints.ai_family = is_bracketed ? AF_INET6 : AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  const std::string name(host);
  std::optional<Address> found = address_of_interface(name);
  if (found) {
    const auto number = htons(static_cast<std::uint16_t>(std::strtoul(port.c_str(), nullptr, 10)));
    reinterpret_cast<sockaddr_in*>(&found->bytes)->sin_port = number;
    return found;
  }
  addrinfo* all = nullptr;
  if (getaddrinfo(host == "*" ? nullptr : name.c_str(), port.c_str(), &hints, &all) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> kept(all, &freeaddrinfo);
  return copy_of(all->ai_addr, all->ai_addrlen);
}

// A descriptor, or -1 and errno.
int listening_socket(const Address& address) {
  const int fd = socket(address.bytes.ss_family, kSocketFlags, 0);
  if (fd < 0) return -1;
  const int on = 1;
  if (address.bytes.ss_family != AF_UNIX) CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
  const bool listens =
      bind(fd, reinterpret_cast<const sockaddr*>(&address.bytes), address.size) == 0 && listen(fd, kBacklog) == 0;
  if (listens) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Nothing: the path is too long. Of an abstract name (@…) the first byte is zero. Source: unix(7).
std::optional<Address> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) return std::nullopt;
  std::memcpy(address.sun_path, path.data(), path.size());
  const bool is_abstract = path[0] == '@';
  if (is_abstract) address.sun_path[0] = '\0';
  const std::size_t size = offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1);
  return copy_of(reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size));
}

// A folder that nobody else has. Empty: there is no room.
std::string made_up_folder() {
  const char* parent = std::getenv("TMPDIR");
  std::string name = fmt::format("{}/compositord-XXXXXX", parent == nullptr ? "/tmp" : parent);
  return mkdtemp(name.data()) == nullptr ? std::string() : name;
}

// What a program has left that ended without a word. Other files are not ours to remove: then bind() says that one is in the way.
void remove_socket_file(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
}

}  // namespace

bool somebody_listens(const std::string& path) {
  const std::optional<Address> address = unix_address(path);
  if (!address) return false;
  const int fd = socket(AF_UNIX, kSocketFlags, 0);
  if (fd < 0) return false;
  const bool answered = connect(fd, reinterpret_cast<const sockaddr*>(&address->bytes), address->size) == 0;
  const bool backlog_full = !answered && errno == EAGAIN;
  close(fd);
  return answered || backlog_full;
}

Listener::Listener(int fd, std::string endpoint) noexcept : fd_(fd), endpoint_(std::move(endpoint)) {}

Listener::~Listener() {
  if (fd_ < 0) return;
  if (!path_.empty()) unlink(path_.c_str());  // while it is ours: a successor removes it only when nobody listens
  close(fd_);
  if (!folder_.empty()) rmdir(folder_.c_str());
}

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      endpoint_(std::move(other.endpoint_)),
      path_(std::move(other.path_)),
      folder_(std::move(other.folder_)) {}

Listener& Listener::operator=(Listener&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(endpoint_, other.endpoint_);
  std::swap(path_, other.path_);
  std::swap(folder_, other.folder_);
  return *this;
}

Result<Listener> Listener::open(const std::string& endpoint) {
  if (endpoint.starts_with(kTcp)) return open_tcp(endpoint);
  if (endpoint.starts_with(kIpc)) return open_ipc(endpoint);
  return no_endpoint(endpoint);
}

Result<Listener> Listener::open_tcp(const std::string& endpoint) {
  const std::size_t colon = endpoint.rfind(':');
  if (colon < kTcp.size()) return no_endpoint(endpoint);
  const std::string port = endpoint.substr(colon + 1);
  const std::string host = endpoint.substr(kTcp.size(), colon - kTcp.size());
  if (host.empty() || port.empty()) return no_endpoint(endpoint);
  if (!is_port(port)) {
    return fail(Status::kMalformed,
                fmt::format("bind {}: \"{}\" is no port: a number up to 65535, or * for a free one", endpoint, port));
  }
  const std::optional<Address> address = address_of(host, port == "*" ? "0" : port);
  if (!address) {
    return fail(Status::kFailed,
                fmt::format("bind {}: {} is no address, name or interface of this host", endpoint, host));
  }
  const int fd = listening_socket(*address);
  if (fd < 0) return bind_error(endpoint, errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0);
  return Listener(fd, std::string(kTcp) + text_of(bound));
}

Result<Listener> Listener::open_ipc(const std::string& endpoint) {
  std::string path = endpoint.substr(kIpc.size());
  std::string folder;
  if (path == "*") {
    folder = made_up_folder();
    if (folder.empty()) return bind_error(endpoint, errno);
    path = folder + "/socket";
  }
  const std::optional<Address> address = unix_address(path);
  if (!address) return no_endpoint(endpoint);
  const bool is_abstract = path[0] == '@';
  if (somebody_listens(path)) return bind_error(endpoint, EADDRINUSE);
  if (!is_abstract) remove_socket_file(path);
  const int fd = listening_socket(*address);
  if (fd < 0) return bind_error(endpoint, errno);
  Listener listener(fd, std::string(kIpc) + path);
  if (!is_abstract) listener.path_ = path;
  listener.folder_ = folder;
  return listener;
}

Listener::Accepted Listener::accept() const {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  // Who it is, is asked here: of a connection that its peer has reset already, getpeername(2) says nothing.
  const int fd = accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return {};
  // All of no use to a Unix socket, which refuses them.
  const auto set = [fd](int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof(value)); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kQuietSeconds);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kAskSeconds);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUnreadMs);
  return {fd, from.ss_family == AF_UNIX ? peer_name(fd) : text_of(from)};
}

}  // namespace compositord::net
