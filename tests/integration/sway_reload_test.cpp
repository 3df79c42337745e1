// sway's reload: checked by a second sway, and believed only when the first one tells of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "agent/driver.h"
#include "agent/sway/reload.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"

namespace compositord {
namespace {

using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using agent::driver_event::Gone;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::field;
using test::find_output;
using test::RuntimeDir;
using ::testing::HasSubstr;

TEST(SwayComplaints, AreItsOwnLinesWithoutTimesAndPlaces) {
  EXPECT_EQ(agent::sway::complaints_in("00:00:00.044 [ERROR] [wlr] [render/wlr_renderer.c:322] drmGetDevices2 failed\n"
                                       "00:00:00.045 [INFO] [sway/main.c:1] Hello\n"
                                       "00:00:00.046 [ERROR] [sway/config.c:857] Error on line 3 'x': no (/a.cfg)\n"
                                       "00:00:00.046 [ERROR] [sway/config.c:425] Error(s) loading config!\n"),
            "Error on line 3 'x': no (/a.cfg); Error(s) loading config!");
  EXPECT_EQ(agent::sway::complaints_in(""), "");
  EXPECT_LE(agent::sway::complaints_in("[ERROR] [sway/a.c:1] " + std::string(5000, 'x')).size(), 600U);
}

class SwayReload : public ::testing::Test {
 protected:
  SwayReload() : sway_(CompositorProcess::sway(dir_)), loop_({dir_.path(), "wayland-1", {}}) {}
  void SetUp() override {
    sway_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  void configure(const std::string& line) { std::ofstream(dir_.path() + "/sway.cfg", std::ios::app) << line << "\n"; }
  std::uint32_t width() const {
    const msg::Output* output = find_output(loop_.last<Described>()->manifest, "HEADLESS-1");
    return output != nullptr && output->current_mode ? output->current_mode->width_px : 0;
  }
  static std::set<std::string> checks_in_tmp() {
    const std::string ours = "compositor-agent-" + std::to_string(::getpid()) + "-";
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator("/tmp")) {
      const std::string name = entry.path().filename();
      if (name.starts_with(ours)) found.insert(name);
    }
    return found;
  }
  RuntimeDir dir_;
  CompositorProcess sway_;
  DriverLoop loop_;
};

TEST_F(SwayReload, ReadsAGoodConfigurationAgain) {
  ASSERT_EQ(width(), 1280U);
  configure("output HEADLESS-1 mode 800x600");
  const auto done = loop_.run("reload", Value(), seconds(10));
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "checked"), Value(true));
  EXPECT_EQ(field(done.result, "done"),
            Value("sway has reloaded, and told so by its event: " + dir_.path() + "/sway.cfg"));
  test::record_command(loop_, "reload", done);
  EXPECT_TRUE(loop_.run_until([&] { return width() == 800U; })) << "what the new line says";
}

TEST_F(SwayReload, DoesNothingWithABrokenConfigurationAndSaysWhatIsBroken) {
  configure("output HEADLESS-1 mode 800x600");
  configure("bindsym no_such_key exit");
  const auto refused = loop_.run("reload", Value(), seconds(10));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("sway was not reloaded"));
  EXPECT_THAT(refused.error,
              HasSubstr("Error on line 3 'bindsym no_such_key exit': Unknown key or button 'no_such_key'"));
  EXPECT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(width(), 1280U);
}

TEST_F(SwayReload, LeavesTheFirstOnesDisplayAndTheDiskAsTheyWere) {
  ASSERT_EQ(loop_.run("reload", Value(), seconds(10)).status, Status::kDone);
  EXPECT_TRUE(checks_in_tmp().empty());
  EXPECT_FALSE(std::filesystem::exists(dir_.path() + "/wayland-2")) << "a socket of the second sway";
  EXPECT_EQ(loop_.count<Gone>(), 0U);
}

TEST_F(SwayReload, EndsByItsDeadlineWhileSwayIsStoppedAndWorksAfterwards) {
  sway_.signal(SIGSTOP);
  const Instant begin = monotonic_now();
  const auto late = loop_.run("reload", Value(), seconds(1));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_LT(monotonic_now() - begin, seconds(5));
  const std::size_t turns = loop_.services;
  EXPECT_FALSE(loop_.run_until([] { return false; }, milliseconds(200)));
  EXPECT_LT(loop_.services - turns, 20U) << "it waits, it does not spin";
  sway_.signal(SIGCONT);
  const auto done = loop_.run("reload", Value(), seconds(10));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

TEST_F(SwayReload, IsOneAtATime) {
  const Instant now = monotonic_now();
  loop_.driver->execute(1, "reload", Value(), now, now + seconds(10), loop_.out);
  loop_.driver->execute(2, "reload", Value(), now, now + seconds(10), loop_.out);
  ASSERT_EQ(loop_.count<CommandFinished>(), 1U);
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kLimit);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<CommandFinished>() == 2; }));
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kDone) << as_text(*loop_.last<CommandFinished>());
}

TEST_F(SwayReload, EndsWithItsCompositor) {
  const Instant now = monotonic_now();
  loop_.driver->execute(1, "reload", Value(), now, now + seconds(10), loop_.out);
  sway_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  ASSERT_EQ(loop_.count<CommandFinished>(), 1U);
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kGone);
}

}  // namespace
}  // namespace compositord
