#include "broker/notify/exec_notifier.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "broker/notify/body_template.h"
#include "common/base/clock.h"
#include "common/base/utf8.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kLastWordsMax = 4'096;
constexpr std::size_t kLastLineMax = 256;
// After SIGKILL. A process that is stuck in the kernel may take longer; it is looked for again before the next attempt.
constexpr Duration kReapTime = std::chrono::seconds(1);

class Fd {
 public:
  explicit Fd(int fd = -1) noexcept : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const noexcept { return fd_; }
  void reset(int fd = -1) noexcept {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

std::string system_error_text(int error) { return std::generic_category().message(error); }

// A file in memory instead of a pipe: a program that does not read its input can't hold us, and none that ends early kills us.
bool fill_input(const Notification& notification, Fd& input) {
  input.reset(memfd_create("notification", MFD_CLOEXEC));
  if (input.get() < 0) return false;
  const std::string text = notification.json + "\n";
  const ssize_t written = write(input.get(), text.data(), text.size());
  return written == static_cast<ssize_t>(text.size()) && lseek(input.get(), 0, SEEK_SET) == 0;
}

std::vector<std::string> environment_of(const Notification& n) {
  std::vector<std::string> all;
  for (const char* name :
       {"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"}) {
    const char* value = std::getenv(name);
    if (value != nullptr) all.push_back(fmt::format("{}={}", name, value));
  }
  const auto add = [&](std::string_view name, const std::string& value) {
    all.push_back(fmt::format("COMPOSITORD_{}={}", name, value.substr(0, value.find('\0'))));
  };
  add("STATE", n.state);
  add("SEVERITY", n.severity);
  add("SUBJECT", n.subject);
  add("LAYER", n.layer);
  add("TITLE", n.title);
  add("TEXT", n.text);
  add("DEDUPE", n.dedupe);
  add("SINCE", rfc3339(n.since_ms));
  add("AT", rfc3339(n.at_ms));
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

struct Setup {
  char* const* command;
  char* const* environment;
  int input;
  int errors;
  pid_t broker;
};

// Between vfork and exec: system calls only, for all memory is the broker's.
[[noreturn]] void become(const Setup& setup, volatile int& error) {
  setpgid(0, 0);
  // An alert is told once more by the next broker: a program that nobody waits for any more must not hang about. It is sent
  // when the thread that is here ends, which waits for the program or has killed it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != setup.broker) _exit(127);  // it died before the kernel heard our wish
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  dup2(setup.input, STDIN_FILENO);
  dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
  dup2(setup.errors, STDERR_FILENO);
  // All others are closed by exec, but for those that a library opened in its own way.
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none,
              nullptr);  // the broker's thread blocks all signals; the program must be able to get them
  execvpe(setup.command[0], setup.command, setup.environment);
  error = errno;
  _exit(127);
}

// posix_spawn has no word for the signal at the broker's death, and fork would copy the tables of all that a broker holds in
// memory. Like posix_spawn this suspends only the calling thread, until the program runs.
pid_t start(const Setup& setup, volatile int& error) {
  const pid_t pid = vfork();
  if (pid == 0) become(setup, error);
  return pid;
}

// The process, or minus the error.
pid_t spawn(const NotifierConfig& config, const Notification& notification, int input, int errors) {
  std::vector<std::string> command = config.command;
  std::vector<std::string> environment = environment_of(notification);
  const std::vector<char*> words = pointers(command);
  const std::vector<char*> variables = pointers(environment);
  const Setup setup{words.data(), variables.data(), input, errors, getpid()};
  volatile int error = 0;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);  // no handler of the broker may run in the child
  const pid_t pid = start(setup, error);
  if (pid < 0) error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid > 0 && error != 0) waitpid(pid, nullptr, 0);
  return error == 0 ? pid : -error;
}

// Reads what is there and keeps its end.
void read_last_words(int fd, std::string& words) {
  std::array<char, kLastWordsMax> chunk{};
  for (;;) {
    const ssize_t length = read(fd, chunk.data(), chunk.size());
    if (length <= 0) return;
    words.append(chunk.data(), static_cast<std::size_t>(length));
    if (words.size() > kLastWordsMax) words.erase(0, words.size() - kLastWordsMax);
  }
}

std::string last_line(std::string_view words) {
  while (words.ends_with('\n') || words.ends_with(' ')) words.remove_suffix(1);
  const std::size_t newline = words.rfind('\n');
  words = newline == std::string_view::npos ? words : words.substr(newline + 1);
  return to_utf8(words.substr(0, kLastLineMax));
}

enum class Wait { kEnded, kTooLong, kStopped };

// Until the process has ended; its standard error is read meanwhile, so that it can't stand still for that.
Wait wait_for(int process, int errors, int stop_fd, Instant until, std::string& words) {
  bool talking = true;
  for (;;) {
    std::array<pollfd, 3> fds{{{process, POLLIN, 0}, {stop_fd, POLLIN, 0}, {talking ? errors : -1, POLLIN, 0}}};
    const Duration left = until - monotonic_now();
    if (left <= Duration{}) return Wait::kTooLong;
    poll(fds.data(), fds.size(), static_cast<int>(to_ms(left)) + 1);
    if (fds[2].revents != 0) read_last_words(errors, words);
    if ((fds[2].revents & POLLHUP) != 0) talking = false;
    if (fds[0].revents != 0) return Wait::kEnded;
    if (fds[1].revents != 0) return Wait::kStopped;
  }
}

// Kills the whole group, so that what the program has started goes with it. False when it is not gone in time.
bool kill_and_reap(pid_t pid, int process) {
  kill(-pid, SIGKILL);
  pollfd ended{process, POLLIN, 0};
  return poll(&ended, 1, static_cast<int>(to_ms(kReapTime))) == 1 && waitpid(pid, nullptr, 0) == pid;
}

Attempt judge(const std::string& program, int status, const std::string& words) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {Attempt::End::kDelivered, {}, {}};
  const std::string how = WIFEXITED(status) ? fmt::format("exited with status {}", WEXITSTATUS(status))
                                            : fmt::format("was killed by signal {}", WTERMSIG(status));
  const std::string line = last_line(words);
  const std::string said = line.empty() ? std::string() : ": " + line;
  return {Attempt::End::kFailed, fmt::format("{} {}{}", program, how, said), {}};
}

}  // namespace

ExecNotifier::ExecNotifier(NotifierConfig config) : config_(std::move(config)) {}

void ExecNotifier::reap_the_left() {
  std::erase_if(left_, [](pid_t pid) { return waitpid(pid, nullptr, WNOHANG) != 0; });
}

Attempt ExecNotifier::attempt(const Notification& notification, Duration timeout, int stop_fd) {
  reap_the_left();
  const std::string& program = config_.command.front();
  Fd input;
  std::array<int, 2> ends{-1, -1};
  if (!fill_input(notification, input) || pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return {Attempt::End::kFailed, fmt::format("{}: {}", program, system_error_text(errno)), {}};
  }
  const Fd errors(ends[0]);
  Fd errors_in(ends[1]);
  fcntl(errors_in.get(), F_SETFL, 0);  // the program's end waits, as it expects
  const pid_t pid = spawn(config_, notification, input.get(), errors_in.get());
  if (pid < 0) {
    return {Attempt::End::kFailed, fmt::format("{} can't be started: {}", program, system_error_text(-pid)), {}};
  }
  errors_in.reset();
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (process.get() < 0) {  // no descriptor left: it can't be watched, so it must not go on
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return {Attempt::End::kFailed, fmt::format("{} can't be watched: no descriptor is left", program), {}};
  }
  std::string words;
  const Wait how = wait_for(process.get(), errors.get(), stop_fd, monotonic_now() + timeout, words);
  if (how != Wait::kEnded && !kill_and_reap(pid, process.get())) left_.push_back(pid);
  if (how == Wait::kStopped) return {Attempt::End::kStopped, {}, {}};
  if (how == Wait::kTooLong) {
    return {
        Attempt::End::kFailed, fmt::format("{} took longer than {} ms and was killed", program, to_ms(timeout)), {}};
  }
  int status = 0;
  waitpid(pid, &status, 0);
  read_last_words(errors.get(), words);
  return judge(program, status, words);
}

}  // namespace compositord::broker
