#include "tests/bench/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>

#include "common/base/check.h"
#include "tests/bench/fatal.h"

namespace compositord::bench {

namespace {

std::vector<char*> pointers_to(std::vector<std::string>& arguments) {
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) : name_(arguments.at(0)) {
  std::vector<std::string> copy = arguments;
  const std::vector<char*> argv = pointers_to(copy);
  std::array<int, 2> to_child{};
  std::array<int, 2> from_child{};
  CHECK(pipe2(to_child.data(), O_CLOEXEC) == 0 && pipe2(from_child.data(), O_CLOEXEC) == 0);
  pid_ = fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(to_child[0]);
  close(from_child[1]);
  input_ = to_child[1];
  output_ = from_child[0];
}

ChildProcess::~ChildProcess() {
  close_input();
  close(output_);
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string ChildProcess::read_line() {
  for (;;) {
    if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
      const std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4'096> bytes{};
    const ssize_t got = read(output_, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fatal(fmt::format("{} has ended before its time", name_));
    unread_.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

void ChildProcess::close_input() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

void ChildProcess::stop() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

Server::Server(const std::vector<std::string>& arguments) : process_(arguments) {
  for (std::string line = process_.read_line(); line != "ready"; line = process_.read_line()) lines_.push_back(line);
}

std::string Server::endpoint(const std::string& name) const {
  for (const std::string& line : lines_) {
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  }
  fatal(fmt::format("the server has no endpoint \"{}\"", name));
}

}  // namespace compositord::bench
