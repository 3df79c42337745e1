// A window manager beside a compositing manager, of the kind that shows its role by _NET_SUPPORTING_WM_CHECK alone and does not own
// WM_S0: nobody tells of its end but the kernel and its window.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xcb/xcb.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>

#include "agent/process/file_descriptor.h"
#include "tests/support/on_xvfb.h"

namespace compositord {
namespace {

using agent::driver_event::Gone;
using std::chrono::milliseconds;
using test::as_text;
using test::CompositorProcess;
using test::find_part;
using test::OnXvfb;

// This process once more, as such a window manager. It ends with this object, and so does its heir.
class BareWindowManager {
 public:
  // `has_heir`: a child of it keeps its connection open when it has ended.
  BareWindowManager(const std::string& display, bool has_heir) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return;
    const agent::FileDescriptor read_end(ends[0]);
    life_line_ = agent::FileDescriptor(ends[1]);
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::close(ends[1]);
    manage(display, has_heir);
    char byte = 0;
    while (::read(ends[0], &byte, 1) < 0) continue;
    ::_exit(0);
  }
  ~BareWindowManager() {
    if (pid_ > 0) die();
  }
  BareWindowManager(const BareWindowManager&) = delete;
  BareWindowManager& operator=(const BareWindowManager&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  // Killed, and reaped.
  void die() {
    kill();
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
  }

 private:
  static xcb_atom_t atom(xcb_connection_t* xcb, const char* name) {
    const auto cookie = xcb_intern_atom(xcb, 0, static_cast<std::uint16_t>(std::strlen(name)), name);
    const agent::x11::XOwned<xcb_intern_atom_reply_t> reply(xcb_intern_atom_reply(xcb, cookie, nullptr));
    return reply == nullptr ? xcb_atom_t{XCB_ATOM_NONE} : reply->atom;
  }
  static void manage(const std::string& display, bool has_heir) {
    xcb_connection_t* xcb = xcb_connect(display.c_str(), nullptr);
    if (xcb_connection_has_error(xcb) != 0) ::_exit(1);
    if (has_heir && ::fork() == 0) return;  // before anybody sees the role
    const xcb_window_t root = xcb_setup_roots_iterator(xcb_get_setup(xcb)).data->root;
    const xcb_window_t window = xcb_generate_id(xcb);
    const xcb_atom_t check = atom(xcb, "_NET_SUPPORTING_WM_CHECK");
    xcb_create_window(xcb, XCB_COPY_FROM_PARENT, window, root, -1, -1, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                      XCB_COPY_FROM_PARENT, 0, nullptr);
    xcb_change_property(xcb, XCB_PROP_MODE_REPLACE, window, atom(xcb, "_NET_WM_NAME"), atom(xcb, "UTF8_STRING"), 8, 4,
                        "bare");
    for (const xcb_window_t place : {window, root}) {
      xcb_change_property(xcb, XCB_PROP_MODE_REPLACE, place, check, XCB_ATOM_WINDOW, 32, 1, &window);
    }
    xcb_flush(xcb);
  }

  agent::FileDescriptor life_line_;
  pid_t pid_ = 0;
};

class BesideACompositingManager : public OnXvfb {
 protected:
  void SetUp() override {
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path()));
    compositing_manager_.start();
    ASSERT_TRUE(wait_for_name("xcompmgr")) << loop_.log_text();
  }
  const msg::Part* window_manager() const { return find_part(*manifest(), "window_manager"); }
  bool wait_until_seen(const BareWindowManager& manager) {
    return loop_.run_until([&] {
      return window_manager() != nullptr && window_manager()->pid == static_cast<std::uint64_t>(manager.pid());
    });
  }
  void expect_calm() {
    const std::size_t before = loop_.services;
    EXPECT_FALSE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }, milliseconds(500)));
    EXPECT_LT(loop_.services - before, 50U) << "the driver spins after the window manager's end";
    EXPECT_EQ(manifest()->name, "xcompmgr");
  }
  CompositorProcess compositing_manager_ = display_.client({"/usr/bin/xcompmgr"});
};

TEST_F(BesideACompositingManager, AWindowManagersEndIsNoticedBeforeItIsReaped) {
  BareWindowManager manager(display_.name(), false);
  ASSERT_TRUE(wait_until_seen(manager)) << as_text(*manifest());
  manager.kill();
  EXPECT_TRUE(loop_.run_until([&] { return window_manager() == nullptr; })) << as_text(*manifest());
  expect_calm();
}

TEST_F(BesideACompositingManager, TheNextWindowManagerIsDescribed) {
  BareWindowManager first(display_.name(), false);
  ASSERT_TRUE(wait_until_seen(first)) << as_text(*manifest());
  first.die();
  EXPECT_TRUE(loop_.run_until([&] { return window_manager() == nullptr; })) << as_text(*manifest());
  BareWindowManager second(display_.name(), false);
  EXPECT_TRUE(wait_until_seen(second)) << as_text(*manifest());
  expect_calm();
}

// Then its window stays, and the server goes on to tell the pid of the process that has ended.
TEST_F(BesideACompositingManager, AWindowManagerWhoseConnectionOutlivesItIsKnownByItsWindow) {
  BareWindowManager manager(display_.name(), true);
  ASSERT_TRUE(wait_until_seen(manager)) << as_text(*manifest());
  manager.die();
  ASSERT_TRUE(loop_.run_until([&] { return window_manager() != nullptr && window_manager()->pid == 0; }))
      << as_text(*manifest());
  EXPECT_EQ(window_manager()->name, "bare");
  expect_calm();
}

TEST_F(BesideACompositingManager, AZombieWhoseConnectionOutlivesItIsLookedAtOnce) {
  BareWindowManager manager(display_.name(), true);
  ASSERT_TRUE(wait_until_seen(manager)) << as_text(*manifest());
  manager.kill();
  EXPECT_TRUE(loop_.run_until([&] { return loop_.logged("x11.window_manager_ended"); })) << loop_.log_text();
  expect_calm();
}

}  // namespace
}  // namespace compositord
