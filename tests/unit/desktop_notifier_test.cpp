// Desktop notifications, shown by dunst on an X server without a screen and a session bus of its own.
#include "broker/notify/desktop_notifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/compositor_process.h"
#include "tests/support/line_fifo.h"
#include "tests/support/sample_notification.h"
#include "tests/support/stop_fd.h"
#include "tests/support/x_display.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::CompositorProcess;
using test::sample_notification;
using ::testing::HasSubstr;
using End = Attempt::End;

class DesktopNotifierTest : public ::testing::Test {
 protected:
  DesktopNotifierTest()
      : told_(dir_.path() + "/told"),
        bus_(CompositorProcess::session_bus(dir_)),
        display_(dir_),
        server_(display_.xvfb()),
        dunst_(dir_, {"/usr/bin/dunst", "-conf", dir_.path() + "/dunstrc"},
               {"DISPLAY=" + display_.name(), "DBUS_SESSION_BUS_ADDRESS=unix:path=" + dir_.path() + "/bus"},
               CompositorProcess::User::kOurs) {
    config_.bus = "unix:path=" + dir_.path() + "/bus";
    // dunst runs a script for each notification that it shows.
    const std::string script = dir_.path() + "/script";
    std::ofstream(script) << "#!/bin/sh\necho \"$DUNST_ID|$DUNST_APP_NAME|$DUNST_URGENCY|$DUNST_TIMEOUT|$DUNST_SUMMARY|"
                             "$DUNST_BODY\" > \""
                          << told_.path() << "\"\n";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    std::ofstream(dir_.path() + "/dunstrc")
        << "[global]\nmarkup = full\nstack_duplicates = false\n[all]\nscript = " << script << "\n";
  }
  void start_bus() {
    bus_.start();
    ASSERT_TRUE(bus_.wait_until_listening("bus")) << bus_.printed();
  }
  void start_desktop() {
    start_bus();
    server_.start();
    ASSERT_TRUE(server_.wait_until_listening(display_.socket_path())) << server_.printed();
    dunst_.start();
    // It has no other sign that it is ready than its name on the bus, for which the first call waits a little.
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (notifier_.attempt(sample_notification("hello/1"), seconds(2), stop_.get()).end != End::kDelivered) {
      ASSERT_LT(std::chrono::steady_clock::now(), until) << dunst_.printed();
    }
    EXPECT_THAT(told_.next(), HasSubstr("compositord"));
  }
  Attempt tell(const std::string& dedupe, const std::string& state = "firing",
               const std::string& severity = "critical") {
    Notification n = sample_notification(dedupe);
    n.state = state;
    n.severity = severity;
    return notifier_.attempt(n, seconds(5), stop_.get());
  }

  test::RuntimeDir dir_;
  test::LineFifo told_;
  CompositorProcess bus_;
  test::XDisplay display_;
  CompositorProcess server_;
  CompositorProcess dunst_;
  test::StopFd stop_;
  NotifierConfig config_;
  DesktopNotifier notifier_{[this] {
    NotifierConfig config;
    config.bus = "unix:path=" + dir_.path() + "/bus";
    return config;
  }()};
};

TEST_F(DesktopNotifierTest, ShowsAnAlertAndReplacesItByItsEnd) {
  start_desktop();
  EXPECT_EQ(tell("a/1").end, End::kDelivered);
  const std::string first = told_.next();
  // Markup characters reach the person as what they are.
  EXPECT_THAT(first, HasSubstr("|compositord|CRITICAL|0|wall-3/wayland-1: the compositor was killed|"
                               "The compositor was \"killed\" by signal 9 &lt;SIGKILL&gt;."));
  EXPECT_EQ(tell("b/1", "firing", "warning").end, End::kDelivered);
  const std::string other = told_.next();
  EXPECT_THAT(other, HasSubstr("|NORMAL|"));
  EXPECT_EQ(tell("a/2", "resolved").end, End::kDelivered);
  const std::string second = told_.next();
  const auto id_of = [](const std::string& line) { return line.substr(0, line.find('|')); };
  EXPECT_EQ(id_of(second), id_of(first));
  EXPECT_NE(id_of(other), id_of(first));
  EXPECT_THAT(second, HasSubstr("|NORMAL|"));
  // The alert is over: the next one is new.
  EXPECT_EQ(tell("a/3").end, End::kDelivered);
  EXPECT_NE(id_of(told_.next()), id_of(first));
}

TEST_F(DesktopNotifierTest, WithoutADesktopItIsAFailureThatMayPass) {
  const Attempt no_bus = tell("a/1");
  EXPECT_EQ(no_bus.end, End::kFailed);
  EXPECT_THAT(no_bus.error, HasSubstr("the desktop's notifications: "));
  start_bus();
  const Attempt nobody = tell("a/1");
  EXPECT_EQ(nobody.end, End::kFailed);
  EXPECT_THAT(nobody.error, HasSubstr("org.freedesktop.Notifications"));
}

TEST_F(DesktopNotifierTest, ADesktopThatHangsCostsTheTimeout) {
  start_desktop();
  dunst_.signal(SIGSTOP);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(notifier_.attempt(sample_notification(), milliseconds(400), stop_.get()).end, End::kFailed);
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds(5));
  dunst_.signal(SIGCONT);
}

}  // namespace
}  // namespace compositord::broker
