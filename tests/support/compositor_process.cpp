#include "tests/support/compositor_process.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <utility>

namespace compositord::test {

namespace {

// Any user id without rights does; none of these programs looks it up.
constexpr uid_t kUnprivilegedUid = 1500;

bool is_root() { return ::geteuid() == 0; }

bool accepts(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool connected = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return connected;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (const std::string& s : strings) list.push_back(const_cast<char*>(s.c_str()));
  list.push_back(nullptr);
  return list;
}

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

RuntimeDir::RuntimeDir() : path_("/tmp/compositord-test-XXXXXX") {
  // Right below /tmp: every user can get there, and a socket's path has at most 107 bytes.
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory");
  if (is_root() && ::chown(path_.c_str(), kUnprivilegedUid, kUnprivilegedUid) != 0) {
    throw std::runtime_error("the temporary directory can't be given away");
  }
}

RuntimeDir::~RuntimeDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

CompositorProcess CompositorProcess::sway(const RuntimeDir& dir, int outputs) {
  const std::string config = dir.path() + "/sway.cfg";
  write_file(config, "xwayland disable\n");
  return {dir,
          {"/usr/bin/sway", "-c", config},
          {"WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman",
           "WLR_HEADLESS_OUTPUTS=" + std::to_string(outputs)}};
}

CompositorProcess CompositorProcess::weston(const RuntimeDir& dir, const std::string& display) {
  return {dir,
          {"/usr/bin/weston", "--backend=headless-backend.so", "--use-pixman", "--width=1280", "--height=720",
           "--idle-time=0", "--no-config", "--socket=" + display},
          {}};
}

CompositorProcess CompositorProcess::phoc(const RuntimeDir& dir, int outputs) {
  const std::string config = dir.path() + "/phoc.ini";
  std::string text = "[core]\nxwayland=false\n";
  for (int i = 0; i < outputs; ++i) {
    text += "[output:HEADLESS-" + std::to_string(i + 1) + "]\nmode=1280x720\nscale=1\nx=" + std::to_string(i * 1280) +
            "\ny=0\n";
  }
  write_file(config, text);
  return {dir,
          {"/usr/bin/phoc", "-C", config},
          {"WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman",
           "WLR_HEADLESS_OUTPUTS=" + std::to_string(outputs)}};
}

CompositorProcess CompositorProcess::cage(const RuntimeDir& dir) {
  return {dir,
          {"/usr/bin/cage", "--", "/usr/bin/weston-simple-shm"},
          {"WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman"}};
}

namespace {

CompositorProcess kwin_with(const RuntimeDir& dir, int outputs, std::vector<std::string> environment) {
  const std::string copy = dir.path() + "/kwin_wayland";
  std::filesystem::copy_file("/usr/bin/kwin_wayland", copy);
  environment.insert(environment.end(), {"DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir.path() + "/bus",
                                         "XDG_CONFIG_HOME=" + dir.path(), "XDG_CACHE_HOME=" + dir.path()});
  return {dir,
          {copy, "--virtual", "--width", "1280", "--height", "720", "--output-count", std::to_string(outputs),
           "--no-lockscreen", "--no-global-shortcuts"},
          std::move(environment),
          CompositorProcess::User::kOurs};
}

}  // namespace

CompositorProcess CompositorProcess::kwin(const RuntimeDir& dir, int outputs) {
  return kwin_with(dir, outputs, {"KWIN_COMPOSE=Q"});
}

CompositorProcess CompositorProcess::kwin_gl(const RuntimeDir& dir, int outputs, std::vector<std::string> environment) {
  environment.insert(environment.end(), {"KWIN_COMPOSE=O2", "LIBGL_ALWAYS_SOFTWARE=1"});
  return kwin_with(dir, outputs, std::move(environment));
}

CompositorProcess CompositorProcess::mutter(const RuntimeDir& dir, const std::vector<std::string>& monitors) {
  std::vector<std::string> arguments{"/usr/bin/mutter", "--headless", "--wayland", "--no-x11"};
  for (const std::string& monitor : monitors) arguments.insert(arguments.end(), {"--virtual-monitor", monitor});
  return {dir, arguments, {"DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir.path() + "/bus"}, User::kOurs};
}

CompositorProcess CompositorProcess::session_bus(const RuntimeDir& dir) {
  return {dir,
          {"/usr/bin/dbus-daemon", "--session", "--nofork", "--address=unix:path=" + dir.path() + "/bus"},
          {},
          User::kOurs};
}

CompositorProcess::CompositorProcess(const RuntimeDir& dir, std::vector<std::string> arguments,
                                     std::vector<std::string> environment, User user)
    : dir_(dir.path()), arguments_(std::move(arguments)), environment_(std::move(environment)), user_(user) {
  environment_.push_back("PATH=/usr/bin:/bin");
  environment_.push_back("HOME=/nonexistent");  // or a late helper makes its cache in a directory just removed
  environment_.push_back("XDG_RUNTIME_DIR=" + dir_);
}

CompositorProcess::CompositorProcess(CompositorProcess&& other) noexcept
    : dir_(std::move(other.dir_)),
      arguments_(std::move(other.arguments_)),
      environment_(std::move(other.environment_)),
      user_(other.user_),
      pid_(std::exchange(other.pid_, 0)) {}

CompositorProcess::~CompositorProcess() {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);  // with the helpers it started in its group
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void CompositorProcess::start() {
  if (pid_ != 0) throw std::runtime_error("it runs already");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no new process");
  if (child == 0) become();
  pid_ = child;
}

void CompositorProcess::become() const {
  const std::vector<char*> arguments = pointers(arguments_);
  const std::vector<char*> environment = pointers(environment_);
  const std::string log = dir_ + "/compositor.log";
  ::setpgid(0, 0);
  if (is_root() && user_ == User::kWithoutRights) {
    const bool dropped = ::setgroups(0, nullptr) == 0 &&
                         ::setresgid(kUnprivilegedUid, kUnprivilegedUid, kUnprivilegedUid) == 0 &&
                         ::setresuid(kUnprivilegedUid, kUnprivilegedUid, kUnprivilegedUid) == 0;
    if (!dropped) ::_exit(126);
  }
  // After the change of user, which would clear it: when the test itself is killed, nothing stays behind.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  if (::chdir(dir_.c_str()) == 0) ::execve(arguments.front(), arguments.data(), environment.data());
  ::_exit(127);
}

bool CompositorProcess::wait_until_listening(const std::string& display, std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const std::string path = display.starts_with('/') ? display : dir_ + "/" + display;
  const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ::inotify_add_watch(watch, std::filesystem::path(path).parent_path().c_str(), IN_CREATE | IN_ATTRIB | IN_MODIFY);
  bool listening = accepts(path);
  while (!listening && std::chrono::steady_clock::now() < deadline) {
    // A file is made before its owner listens on it, and listening makes no event: so look again soon, too.
    pollfd changed{watch, POLLIN, 0};
    ::poll(&changed, 1, 10);
    std::array<char, 4096> events{};
    while (::read(watch, events.data(), events.size()) > 0) continue;
    listening = accepts(path);
  }
  ::close(watch);
  if (!listening) std::cerr << std::ifstream(dir_ + "/compositor.log").rdbuf();
  return listening;
}

void CompositorProcess::signal(int number) const {
  if (pid_ != 0) ::kill(pid_, number);
}

std::optional<int> CompositorProcess::reap(std::chrono::milliseconds timeout) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0U));
  pollfd ended{pidfd, POLLIN, 0};
  const bool has_ended = ::poll(&ended, 1, static_cast<int>(timeout.count())) == 1;
  ::close(pidfd);
  int status = 0;
  if (!has_ended || ::waitpid(pid_, &status, 0) != pid_) return std::nullopt;
  pid_ = 0;
  return status;
}

std::string CompositorProcess::printed() const {
  std::ifstream file(dir_ + "/compositor.log");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string CompositorProcess::ipc_socket() const {
  const uid_t uid = is_root() ? kUnprivilegedUid : ::geteuid();
  return dir_ + "/sway-ipc." + std::to_string(uid) + "." + std::to_string(pid_) + ".sock";
}

std::string output_of(const std::string& command_line) {
  const auto close = [](FILE* file) { ::pclose(file); };
  const std::unique_ptr<FILE, decltype(close)> pipe(::popen(("timeout 5 " + command_line).c_str(), "r"), close);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) text.append(buffer.data(), n);
  return text;
}

std::string wayland_info(const RuntimeDir& dir, const std::string& display) {
  return output_of("env XDG_RUNTIME_DIR=" + dir.path() + " WAYLAND_DISPLAY=" + display + " wayland-info 2>&1");
}

}  // namespace compositord::test
