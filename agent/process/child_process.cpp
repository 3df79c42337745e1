#include "agent/process/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "agent/process/late_reaping.h"

namespace compositord::agent {

namespace {

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Result<Pipe> open_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Status::kLimit, fmt::format("there can be no new pipe: {}", std::strerror(errno)));
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // our end only: the program may want a blocking one
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// Signals as a freshly started program expects them: we block some and ignore SIGPIPE.
void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

struct Setup {
  const char* executable;
  char* const* arguments;
  char* const* environment;
  pid_t parent;
  bool lives_on;
  bool is_alone;
  int output;  // -1: ours
  int exec_error;
  const ChildCommand::User* user;  // nullptr: ours
  const char* directory;           // empty: ours
};

// The system calls themselves: glibc's functions change all threads, and there is only this one.
bool change_user(const ChildCommand::User& user) {
  return ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

// Between fork and exec, in a program with threads: only calls that signal-safety(7) allows.
[[noreturn]] void become(const Setup& setup) {
  ::setsid();
  reset_signals();
  if (setup.user != nullptr && !change_user(*setup.user)) ::_exit(127);
  if (setup.directory[0] != '\0' && ::chdir(setup.directory) != 0) errno = 0;
  if (!setup.lives_on) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != setup.parent) ::_exit(127);  // it died before the kernel heard our wish
  }
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  const int output = setup.is_alone ? nothing : setup.output;
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  // Ours are closed by exec, but who started us may have left us others. Linux before 5.11 doesn't know it, and keeps those.
  if (setup.is_alone) ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execvpe(setup.executable, setup.arguments, setup.environment);
  const int error = errno;
  static_cast<void>(::write(setup.exec_error, &error, sizeof error) == 0);
  ::_exit(127);
}

// The strings must outlive what is returned.
std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  list.reserve(strings.size() + 1);
  for (const std::string& s : strings) list.push_back(const_cast<char*>(s.c_str()));
  list.push_back(nullptr);
  return list;
}

ProcessEnd end_from(const siginfo_t& info) {
  ProcessEnd end;
  if (info.si_code == CLD_EXITED) {
    end.code = info.si_status;
  } else {
    end.signal = info.si_status;
  }
  return end;
}

}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildCommand& command) {
  auto exec_error = open_pipe();
  if (!exec_error) return tl::unexpected(exec_error.error());
  auto output = open_pipe();
  if (!output) return tl::unexpected(output.error());
  const std::vector<char*> arguments = pointers(command.arguments);
  const std::vector<char*> environment =
      command.environment ? pointers(*command.environment) : std::vector<char*>();  // into the command's own texts
  Setup setup{};
  setup.executable = command.executable.empty() ? arguments.front() : command.executable.c_str();
  setup.arguments = arguments.data();
  setup.environment = command.environment ? environment.data() : environ;
  setup.parent = ::getpid();
  setup.lives_on = command.lives_on;
  setup.is_alone = command.is_alone;
  setup.output = command.lives_on ? -1 : output->write_end.get();
  setup.exec_error = exec_error->write_end.get();
  setup.user = command.user ? &*command.user : nullptr;
  setup.directory = command.directory.c_str();

  // No handler of ours may run in the child before it has reset them; it inherits this mask and lifts it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) become(setup);
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return fail(Status::kLimit, fmt::format("there can be no new process: {}", std::strerror(fork_error)));
  }
  ChildProcess child;
  child.program_ = command.arguments.front();
  child.lives_on_ = command.lives_on;
  child.is_alone_ = command.is_alone;
  child.pid_ = pid;
  child.pidfd_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U)));
  child.exec_error_ = std::move(exec_error->read_end);
  if (!command.lives_on) child.output_ = std::move(output->read_end);
  if (!child.pidfd_.is_open()) {
    child.lives_on_ = false;  // its end could not be seen: let it go
    return fail(Status::kLimit, fmt::format("process {} can't be watched: {}", pid, std::strerror(errno)));
  }
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : program_(std::move(other.program_)),
      lives_on_(other.lives_on_),
      is_alone_(other.is_alone_),
      pid_(other.pid_),
      state_(std::exchange(other.state_, State::kEnded)),
      pidfd_(std::move(other.pidfd_)),
      exec_error_(std::move(other.exec_error_)),
      output_(std::move(other.output_)),
      error_text_(std::move(other.error_text_)) {}

ChildProcess::~ChildProcess() {
  if (state_ == State::kEnded || lives_on_) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);  // also before it leads its group
  reap_killed(pid_, std::move(pidfd_));
}

void ChildProcess::poll_fds(std::vector<pollfd>& fds) const {
  for (const FileDescriptor* fd : {&exec_error_, &output_}) {
    if (fd->is_open()) fds.push_back(pollfd{fd->get(), POLLIN, 0});
  }
  if (state_ != State::kEnded) fds.push_back(pollfd{pidfd_.get(), POLLIN, 0});
}

ChildProcess::News ChildProcess::service() {
  News news;
  check_exec(news);
  read_output(news);
  check_end(news);
  return news;
}

void ChildProcess::check_exec(News& news) {
  if (!exec_error_.is_open()) return;
  int error = 0;
  const ssize_t n = ::read(exec_error_.get(), &error, sizeof error);
  if (n < 0) return;  // neither yet
  exec_error_.close();
  if (n == 0) {
    state_ = State::kRunning;
    news.executed = true;
  } else {
    state_ = State::kFailing;
    error_text_ = fmt::format("{} can't be executed: {}", program_, std::strerror(error));
  }
}

void ChildProcess::read_output(News& news) {
  while (output_.is_open() && news.output.size() < kOutputBytesPerServiceMax) {
    std::array<char, 4096> buffer{};
    const ssize_t n = ::read(output_.get(), buffer.data(), buffer.size());
    if (n < 0) return;
    if (n == 0) output_.close();
    news.output.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

void ChildProcess::check_end(News& news) {
  if (state_ == State::kEnded || state_ == State::kExecuting) return;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != pid_) return;
  // Not reaped yet, so that this number can't be another group's.
  if (!is_alone_) ::kill(-pid_, SIGKILL);
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG);
  read_output(news);  // what it wrote between the two looks
  output_.close();
  pidfd_.close();
  if (state_ == State::kFailing) {
    news.exec_error = std::move(error_text_);
  } else {
    news.end = end_from(info);
  }
  state_ = State::kEnded;
}

Result<void> ChildProcess::signal(int number) const {
  const bool sent = state_ != State::kEnded && ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0U) == 0;
  if (!sent) return fail(Status::kNotFound, fmt::format("process {} has ended", pid_));
  return {};
}

Result<void> ChildProcess::signal_group(int number) const {
  if (state_ == State::kEnded || ::kill(-pid_, number) != 0) {
    return fail(Status::kNotFound, fmt::format("process group {} has ended", pid_));
  }
  return {};
}

}  // namespace compositord::agent
