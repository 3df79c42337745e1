#pragma once
// Another program, measured or measuring, for as long as this object lives.

#include <sys/types.h>

#include <string>
#include <vector>

namespace compositord::bench {

class ChildProcess {
 public:
  // `arguments[0]` is the program's path. Its standard input and output are pipes to here; it dies with this process.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();  // SIGKILL if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // The next line it prints, without its end. Ends this program when there is none: it has died.
  std::string read_line();
  void close_input();  // tells a program that reads to the end of its input to stop
  void stop();         // SIGTERM, and waits
  pid_t pid() const noexcept { return pid_; }
  int output_fd() const noexcept { return output_; }

 private:
  std::string name_;
  pid_t pid_ = 0;
  int input_ = -1;
  int output_ = -1;
  std::string unread_;
};

// The broker, or anything that says at its start `bus ENDPOINT`, …, `ready`.
class Server {
 public:
  explicit Server(const std::vector<std::string>& arguments);
  // The endpoint it printed behind `name`. Ends this program when it printed none.
  std::string endpoint(const std::string& name) const;
  ChildProcess& process() noexcept { return process_; }

 private:
  ChildProcess process_;
  std::vector<std::string> lines_;
};

}  // namespace compositord::bench
