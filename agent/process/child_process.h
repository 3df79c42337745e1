#pragma once
// A compositor that the agent started itself. As its parent we are told by the kernel how it ended, exactly, and read what
// it prints.
//
// It leads a session of its own: a Ctrl-C in our terminal is ours to pass on, and its helpers can be signalled and found
// with it (getsid). When it ends, what is left of its process group is killed, so that nothing of it stands in the way of
// its successor.
//
// It gets SIGTERM from the kernel when we die without a word (PR_SET_PDEATHSIG): an orphan holds the screen and the socket
// that its successor needs, and nobody would watch it. The kernel forgets that wish when a program changes its user or
// gains capabilities (setpriv, unless told --pdeathsig; kwin_wayland with file capabilities).
// Who wants the picture to stay sets `lives_on`. Then its output is not read, but goes where ours goes: a pipe whose reader
// is gone would end it (SIGPIPE) or block it.

#include <poll.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver_event.h"
#include "agent/process/file_descriptor.h"
#include "common/base/result.h"

namespace compositord::agent {

struct ChildCommand {
  std::vector<std::string> arguments;  // the first is the program, looked for in PATH when it has no '/'
  bool lives_on = false;               // when we end, by whatever cause
  // For helpers that do something in another's place. Only root can become another user.
  struct User {
    uid_t uid = 0;
    gid_t gid = 0;
  };
  std::optional<User> user{};                             // none: ours
  std::optional<std::vector<std::string>> environment{};  // none: ours
  std::string directory{};                                // empty: ours; one that can't be entered is left alone
  std::string executable{};                               // a path; the first argument is then only its name
  // It gets no descriptor of ours, prints nowhere, and what it leaves in its process group lives on (agent/process/launcher).
  bool is_alone = false;
};

class ChildProcess {
 public:
  // What one service() reads at most, so that a flood does not hold the loop.
  static constexpr std::size_t kOutputBytesPerServiceMax = std::size_t{64} * 1024;

  // Begins to start it; whether it could be executed is news of service(). Never waits.
  // Errors: kLimit when there can be no new process or pipe.
  static Result<ChildProcess> start(const ChildCommand& command);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills what still runs and reaps it (late_reaping.h), unless it is to live on.
  ~ChildProcess();

  struct News {
    bool executed = false;          // once: it runs
    std::string exec_error;         // once, and the last news: it could not be executed; the text names the program
    std::string output;             // what it has printed meanwhile, as it came
    std::optional<ProcessEnd> end;  // once, and the last news
  };
  void poll_fds(std::vector<pollfd>& fds) const;
  News service();

  pid_t pid() const noexcept { return pid_; }
  // Errors: kNotFound when it has ended.
  Result<void> signal(int number) const;        // to the program itself
  Result<void> signal_group(int number) const;  // and to what it started

 private:
  // kExecuting -> kRunning -> kEnded; kExecuting -> kFailing (exec failed, not reaped yet) -> kEnded.
  enum class State : std::uint8_t { kExecuting, kRunning, kFailing, kEnded };

  ChildProcess() = default;
  void check_exec(News& news);
  void read_output(News& news);
  void check_end(News& news);

  std::string program_;
  bool lives_on_ = false;
  bool is_alone_ = false;
  pid_t pid_ = 0;
  State state_ = State::kExecuting;
  FileDescriptor pidfd_;
  FileDescriptor exec_error_;  // carries errno of a failed exec, closes when exec succeeds
  FileDescriptor output_;
  std::string error_text_;
};

}  // namespace compositord::agent
