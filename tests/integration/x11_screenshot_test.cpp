// Screenshots of real X servers, bare, under compositing managers, and with two outputs. What is on the screen is put there by
// xsetroot and by the outputs' places.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include <optional>
#include <string>

#include "agent/x11/x11_driver.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"
#include "tests/support/taken_screenshot.h"
#include "tests/support/x_display.h"

namespace compositord {
namespace {

using agent::driver_event::Described;
using agent::driver_event::Gone;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::on_output;
using test::output_of;
using test::RuntimeDir;
using test::take_screenshot;
using test::take_screenshot_until;
using test::TakenScreenshot;
using test::XDisplay;
using ::testing::HasSubstr;

constexpr std::uint32_t kWindow = 0xc8'6432;

class XScreenshot : public ::testing::Test {
 protected:
  XScreenshot()
      : display_(dir_), loop_(agent::DisplaySettings{{}, display_.socket_path(), {}}, agent::x11::make_x11_driver) {}

  void start(CompositorProcess& server) {
    server.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  void paint_root(const std::string& colour) const {
    output_of("xsetroot -display " + display_.name() + " -solid '" + colour + "' 2>&1");
  }
  void start_client(std::optional<CompositorProcess>& client, const std::string& name,
                    std::vector<std::string> arguments) {
    client.emplace(display_.client(std::move(arguments)));
    client->start();
    ASSERT_TRUE(loop_.run_until([&] { return loop_.last<Described>()->manifest.name == name; })) << client->printed();
  }
  // One of a single colour, with its corner there.
  CompositorProcess open_window(const std::string& place) const {
    const std::string colour = "#c86432";
    CompositorProcess window = display_.client(
        {"/usr/bin/xterm", "-geometry", "20x5" + place, "-bg", colour, "-fg", colour, "-cr", colour, "+sb"});
    window.start();
    return window;
  }
  RuntimeDir dir_;
  XDisplay display_;
  DriverLoop loop_;
};

TEST_F(XScreenshot, OfABareServerHasTheRootsColour) {
  CompositorProcess server = display_.xvfb();
  start(server);
  paint_root("#12ab56");
  const TakenScreenshot all = take_screenshot(loop_);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  EXPECT_EQ(all.image.width, 1280U);
  EXPECT_EQ(all.image.height, 1024U);
  EXPECT_EQ(*all.finished.result.find("outputs"), Value::array({"screen"}));
  EXPECT_EQ(std::count(all.image.pixels.begin(), all.image.pixels.end(), 0x12'ab56U), 1280 * 1024);
  test::record_command(loop_, "screenshot", all.finished);
}

TEST_F(XScreenshot, HasTheWindowsThatLieOnTheRoot) {
  CompositorProcess server = display_.xvfb();
  start(server);
  paint_root("#000080");
  const CompositorProcess window = open_window("+300+200");
  const TakenScreenshot all = take_screenshot_until(loop_, Value::map(), 320, 220, kWindow);
  EXPECT_EQ(all.image.at(320, 220), kWindow) << window.printed();
  EXPECT_EQ(all.image.at(100, 100), 0x00'0080U);
}

TEST_F(XScreenshot, AsAThumbnailIsSmall) {
  CompositorProcess server = display_.xvfb();
  start(server);
  paint_root("#808182");
  const TakenScreenshot small = take_screenshot(loop_, Value::map({{"max_height", 128}}));
  EXPECT_EQ(small.image.width, 160U);
  EXPECT_EQ(small.image.height, 128U);
  EXPECT_EQ(small.image.at(80, 64), 0x80'8182U);
}

// The window's own pixels are redirected: only what the manager has painted can be seen on the root.
TEST_F(XScreenshot, UnderCompositingManagersHasWhatTheyPaint) {
  for (const std::string name : {"xcompmgr", "picom"}) {
    SCOPED_TRACE(name);
    CompositorProcess server = display_.xvfb();
    start(server);
    std::optional<CompositorProcess> manager;
    std::vector<std::string> arguments{"/usr/bin/" + name};
    if (name == "picom") arguments.insert(arguments.end(), {"--backend", "xrender", "--config", "/dev/null"});
    start_client(manager, name, arguments);
    const CompositorProcess window = open_window("+300+200");
    const TakenScreenshot all = take_screenshot_until(loop_, Value::map(), 320, 220, kWindow);
    EXPECT_EQ(all.image.at(320, 220), kWindow) << as_text(all.finished);
    test::record_command(loop_, "screenshot", all.finished);
    // With the manager stopped nothing is painted, and the picture is still given.
    manager->signal(SIGSTOP);
    EXPECT_EQ(take_screenshot(loop_).image.at(320, 220), kWindow);
    manager->signal(SIGCONT);
    server.signal(SIGKILL);
    ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
    loop_.out.events.clear();
  }
}

TEST_F(XScreenshot, OfOneOutputOfTwoIsItsPartOfTheScreen) {
  CompositorProcess server = display_.xorg();
  start(server);
  const std::string xrandr = "xrandr -d " + display_.name();
  output_of(xrandr + " --output DUMMY0 --mode 1024x768 2>&1");
  output_of(xrandr + " --addmode DUMMY1 800x600 2>&1");
  output_of(xrandr + " --output DUMMY1 --mode 800x600 --right-of DUMMY0 2>&1");
  ASSERT_TRUE(loop_.run_until([&] {
    const msg::Output* second = test::find_output(loop_.last<Described>()->manifest, "DUMMY1");
    return second != nullptr && second->current_mode && second->x == 1024;
  })) << output_of(xrandr);
  paint_root("#335577");
  const CompositorProcess window = open_window("+1044+20");
  const TakenScreenshot second = take_screenshot_until(loop_, on_output("DUMMY1"), 40, 40, kWindow);
  ASSERT_EQ(second.finished.status, Status::kDone) << as_text(second.finished);
  EXPECT_EQ(second.image.width, 800U);
  EXPECT_EQ(second.image.height, 600U);
  EXPECT_EQ(second.image.at(40, 40), kWindow) << window.printed();
  EXPECT_EQ(second.image.at(799, 599), 0x33'5577U);
  EXPECT_EQ(*second.finished.result.find("outputs"), Value::array({"DUMMY1"}));

  const TakenScreenshot all = take_screenshot(loop_);
  EXPECT_EQ(all.image.width, 1824U);
  EXPECT_EQ(all.image.height, 768U);
  EXPECT_EQ(all.image.at(1064, 40), kWindow);
  EXPECT_EQ(*all.finished.result.find("outputs"), Value::array({"DUMMY0", "DUMMY1"}));

  const TakenScreenshot none = take_screenshot(loop_, on_output("DUMMY5"));
  EXPECT_EQ(none.finished.status, Status::kNotFound);
  EXPECT_THAT(none.finished.error, HasSubstr("DUMMY0, DUMMY1"));
}

TEST_F(XScreenshot, OfAStoppedServerEndsAtItsDeadlineAndTheDriverGoesOn) {
  CompositorProcess server = display_.xvfb();
  start(server);
  paint_root("#12ab56");
  server.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(server.pid(), &status, WUNTRACED), server.pid());
  const std::size_t before = loop_.services;
  const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(700));
  EXPECT_EQ(late.finished.status, Status::kDeadline) << as_text(late.finished);
  EXPECT_LT(loop_.services - before, 50U) << "the driver spins while the server is stopped";
  server.signal(SIGCONT);
  EXPECT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(take_screenshot(loop_).image.at(7, 7), 0x12'ab56U);
}

TEST_F(XScreenshot, OfAScreenWithFewColoursIsRefusedAsTheManifestSays) {
  CompositorProcess server(dir_, {"/usr/bin/Xvfb", display_.name(), "-screen", "0", "640x480x16", "-noreset", "-ac"},
                           {});
  start(server);
  const TakenScreenshot refused = take_screenshot(loop_);
  EXPECT_EQ(refused.finished.status, Status::kUnsupported) << as_text(refused.finished);
  EXPECT_THAT(refused.finished.error, HasSubstr("depth of 16"));
  const auto& commands = loop_.last<Described>()->manifest.commands;
  EXPECT_TRUE(std::any_of(commands.begin(), commands.end(), [&](const msg::CommandSupport& command) {
    return command.name == "screenshot" && !command.supported && command.reason == refused.finished.error;
  }));
}

}  // namespace
}  // namespace compositord
