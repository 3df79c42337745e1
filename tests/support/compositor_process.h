#pragma once
// A real compositor without a screen, for one test: started in a runtime directory of its own, and gone with this object,
// however the test ends. When the tests run as root it gets a user without rights, because sway refuses root.

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace compositord::test {

// An empty XDG_RUNTIME_DIR that the compositors of this test may write to.
class RuntimeDir {
 public:
  RuntimeDir();
  ~RuntimeDir();
  RuntimeDir(const RuntimeDir&) = delete;
  RuntimeDir& operator=(const RuntimeDir&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

class CompositorProcess {
 public:
  // The display's socket is what the compositor chooses in an empty directory: wayland-1 (sway, weston) or wayland-0 (phoc,
  // cage). The directory must outlive this.
  static CompositorProcess sway(const RuntimeDir& dir, int outputs = 1);
  static CompositorProcess weston(const RuntimeDir& dir, const std::string& display = "wayland-1");
  static CompositorProcess phoc(const RuntimeDir& dir, int outputs = 1);  // 1280x720 each, side by side
  static CompositorProcess cage(const RuntimeDir& dir);                   // with weston-simple-shm as its only client
  // Needs a session bus in the same directory, and its own copy of the executable: the installed one has file capabilities, which
  // containers forbid.
  static CompositorProcess kwin(const RuntimeDir& dir, int outputs = 1);
  // The same, drawing with OpenGL in software, without which it takes no screenshots; `environment` besides.
  static CompositorProcess kwin_gl(const RuntimeDir& dir, int outputs, std::vector<std::string> environment = {});
  // Needs a session bus, too. Its outputs are called Meta-0, Meta-1, …
  static CompositorProcess mutter(const RuntimeDir& dir, const std::vector<std::string>& monitors = {"1280x720@60"});
  // No compositor, but what desktops' compositors don't start without. Listens at the display "bus".
  static CompositorProcess session_bus(const RuntimeDir& dir);
  // The session bus wants a user with a name, and its clients to be the same one.
  enum class User { kWithoutRights, kOurs };
  // Any other program, with the environment that it needs besides the usual.
  CompositorProcess(const RuntimeDir& dir, std::vector<std::string> arguments, std::vector<std::string> environment,
                    User user = User::kWithoutRights);

  CompositorProcess(CompositorProcess&& other) noexcept;
  CompositorProcess& operator=(CompositorProcess&&) = delete;
  ~CompositorProcess();  // SIGKILL to what still runs, and reaps it

  // Starts it. It must not run.
  void start();
  // Waits until its display, a name in the directory or a path, accepts. False, and what it printed on stderr, when that doesn't happen in time.
  bool wait_until_listening(const std::string& display = "wayland-1",
                            std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;  // SIGSTOP, SIGCONT, SIGKILL, SIGTERM
  // Waits for its end and reaps it: the wait status, or none when it still runs after `timeout`.
  std::optional<int> reap(std::chrono::milliseconds timeout = std::chrono::seconds(10));
  // What it printed so far, in all its starts.
  std::string printed() const;
  // The path of sway's IPC socket.
  std::string ipc_socket() const;

 private:
  [[noreturn]] void become() const;

  std::string dir_;
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  User user_ = User::kWithoutRights;
  pid_t pid_ = 0;
};

// What a program prints, for independent witnesses like swaymsg and wayland-info. Killed after 5 s.
std::string output_of(const std::string& command_line);
// What a Wayland display announces, by somebody else's hand: a wl_output is there only while its output is on.
std::string wayland_info(const RuntimeDir& dir, const std::string& display);

}  // namespace compositord::test
