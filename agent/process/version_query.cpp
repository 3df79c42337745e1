#include "agent/process/version_query.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "agent/process/late_reaping.h"

namespace compositord::agent {

namespace {

Result<FileDescriptor> open_executable(const Peer& peer) {
  const std::string link = fmt::format("/proc/{}/exe", peer.pid);
  FileDescriptor file(::open(link.c_str(), O_PATH | O_CLOEXEC));
  if (!file.is_open()) return fail(Status::kFailed, fmt::format("{}: {}", link, std::strerror(errno)));
  struct stat facts {};
  struct stat own {};
  if (::fstat(file.get(), &facts) != 0 || ::stat("/proc/self/exe", &own) != 0) {
    return fail(Status::kFailed, fmt::format("{}: {}", link, std::strerror(errno)));
  }
  // A program that is both the compositor and the agent, as tests are, might not know the option and do all it does again,
  // this query included.
  if (facts.st_dev == own.st_dev && facts.st_ino == own.st_ino) {
    return fail(Status::kForbidden, fmt::format("{} is this program itself", peer.executable));
  }
  const bool only_root_writes = facts.st_uid == 0 && (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!only_root_writes && peer.uid != ::geteuid()) {
    return fail(Status::kForbidden,
                fmt::format("{} is not run to learn its version: others than root may write it", peer.executable));
  }
  return file;
}

// The child's three standard streams and its signals, as a freshly started program expects them.
class SpawnSetup {
 public:
  explicit SpawnSetup(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);  // some print their version there
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    constexpr int kFlags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes_, static_cast<short>(kFlags));
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;
  ~SpawnSetup() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  int spawn(pid_t& child, const std::string& path, char* const* argv) {
    std::array<char, 64> search{"PATH=/usr/bin:/bin"};
    std::array<char, 16> locale{"LC_ALL=C"};
    // Qt makes itself a runtime directory where it keeps temporary files; nobody can make one here.
    std::array<char, 16> temporary{"TMPDIR=/proc"};
    const std::array<char*, 4> environment{search.data(), locale.data(), temporary.data(), nullptr};
    return ::posix_spawn(&child, path.c_str(), &actions_, &attributes_, argv, environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::vector<std::string> version_options(const std::string& name) {
  if (name == "cage") return {"-v"};
  // It connects to a display before it looks at its options, and aborts without one.
  if (name == "kwin_x11") return {"-platform", "minimal", "--version"};
  return {"--version"};
}

bool is_version_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("._+~-").find(c) != std::string_view::npos;
}

}  // namespace

Result<VersionQuery> VersionQuery::start(const Peer& peer, Instant now) {
  if (peer.pid <= 0 || peer.executable.empty()) {
    return fail(Status::kFailed, "the compositor's executable is not visible from here");
  }
  auto executable = open_executable(peer);
  if (!executable) return tl::unexpected(executable.error());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(Status::kFailed, "no pipe for a version query");
  VersionQuery query;
  query.output_fd_ = FileDescriptor(ends[0]);
  const FileDescriptor write_end(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // our end only: the program may want a blocking one

  std::string name = executable_name(peer.executable);
  std::vector<std::string> options = version_options(name);
  std::vector<char*> argv{name.data()};
  for (std::string& option : options) argv.push_back(option.data());
  argv.push_back(nullptr);
  const std::string path = fmt::format("/proc/self/fd/{}", executable->get());
  SpawnSetup setup(write_end.get());
  if (const int error = setup.spawn(query.child_, path, argv.data()); error != 0) {
    query.child_ = 0;
    return fail(Status::kFailed, fmt::format("{} can't be run: {}", peer.executable, std::strerror(error)));
  }
  query.child_pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, query.child_, 0U)));
  query.deadline_ = now + kTimeout;
  return query;
}

VersionQuery::VersionQuery(VersionQuery&& other) noexcept
    : child_(std::exchange(other.child_, 0)),
      child_pidfd_(std::move(other.child_pidfd_)),
      output_fd_(std::move(other.output_fd_)),
      output_(std::move(other.output_)),
      deadline_(other.deadline_),
      killed_(other.killed_) {}

VersionQuery::~VersionQuery() {
  if (child_ == 0 || reap()) return;
  ::kill(-child_, SIGKILL);  // it leads a process group: with what it started
  reap_killed(child_, std::move(child_pidfd_));
}

void VersionQuery::poll_fds(std::vector<pollfd>& fds) const {
  if (output_fd_.is_open()) fds.push_back(pollfd{output_fd_.get(), POLLIN, 0});
  if (child_ != 0 && child_pidfd_.is_open()) fds.push_back(pollfd{child_pidfd_.get(), POLLIN, 0});
}

Instant VersionQuery::next_deadline() const noexcept { return child_ == 0 || killed_ ? kNever : deadline_; }

std::optional<std::string> VersionQuery::service(Instant now) {
  if (child_ == 0) return version_in_text(output_);
  read_output();
  if (reap()) {
    read_output();  // what it wrote between the two looks
    output_fd_.close();
    return version_in_text(output_);
  }
  const bool too_much = output_.size() >= kOutputBytesMax;
  if (!killed_ && (now >= deadline_ || too_much)) {
    ::kill(-child_, SIGKILL);
    killed_ = true;
    output_fd_.close();
  }
  return std::nullopt;
}

void VersionQuery::read_output() {
  while (output_fd_.is_open() && output_.size() < kOutputBytesMax) {
    std::array<char, 1024> buffer{};
    const std::size_t room = std::min(buffer.size(), kOutputBytesMax - output_.size());
    const ssize_t n = ::read(output_fd_.get(), buffer.data(), room);
    if (n < 0) return;
    if (n == 0) output_fd_.close();
    output_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

bool VersionQuery::reap() {
  int status = 0;
  // Anything but 0 ends it: the child, or ECHILD where somebody set SIGCHLD to be ignored.
  if (::waitpid(child_, &status, WNOHANG) == 0) return false;
  child_ = 0;
  return true;
}

std::string version_in_text(std::string_view text) {
  constexpr std::size_t kLengthMax = 64;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts_word =
        i == 0 || !is_version_char(text[i - 1]) || (text[i - 1] == 'v' && (i < 2 || text[i - 2] == ' '));
    if (!starts_word || text[i] < '0' || text[i] > '9') continue;
    std::size_t end = i;
    while (end < text.size() && is_version_char(text[end])) ++end;
    std::string_view word = text.substr(i, end - i);
    while (!word.empty() && (word.back() == '.' || word.back() == '-')) word.remove_suffix(1);
    if (word.find('.') != std::string_view::npos && word.size() <= kLengthMax) return std::string(word);
    i = end;
  }
  return {};
}

}  // namespace compositord::agent
