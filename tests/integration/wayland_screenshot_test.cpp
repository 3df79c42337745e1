// Screenshots of real Wayland compositors, beside those of other programs: grim, and weston's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "agent/capture/image.h"
#include "agent/capture/png.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"
#include "tests/support/taken_screenshot.h"

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
using test::on_output;
using test::output_of;
using test::PngImage;
using test::RuntimeDir;
using test::take_screenshot;
using test::take_screenshot_until;
using test::TakenScreenshot;
using ::testing::HasSubstr;

agent::DisplaySettings in(const RuntimeDir& dir) { return agent::DisplaySettings{dir.path(), {}, {}}; }

// Red, green, blue and yellow quarters: whatever is turned or mirrored shows it.
constexpr std::uint32_t kTopLeft = 0xd0'2020, kTopRight = 0x20'd020, kBottomLeft = 0x20'20d0, kBottomRight = 0xd0'd020;

std::string write_quarters(const RuntimeDir& dir) {
  agent::Image image = agent::Image::make(64, 64);
  for (std::uint32_t y = 0; y < 64; ++y) {
    for (std::uint32_t x = 0; x < 64; ++x) {
      image.row(y)[x] = y < 32 ? (x < 32 ? kTopLeft : kTopRight) : (x < 32 ? kBottomLeft : kBottomRight);
    }
  }
  std::string path = dir.path() + "/quarters.png";
  std::ofstream(path, std::ios::binary) << agent::encode_png(image, 1U << 20U, {}).value();
  std::filesystem::permissions(path, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  return path;
}

// What grim makes of it. `arguments`: "-o HEADLESS-1"; nothing for all outputs.
PngImage grim(const RuntimeDir& dir, const std::string& display, const std::string& arguments) {
  const std::string path = dir.path() + "/grim.png";
  output_of("env XDG_RUNTIME_DIR=" + dir.path() + " WAYLAND_DISPLAY=" + display + " grim " + arguments + " " + path +
            " 2>&1");
  return test::read_png(path);
}

// --- sway: two outputs of different sizes, one scaled and turned ---

class SwayScreenshot : public ::testing::Test {
 protected:
  SwayScreenshot() : sway_(CompositorProcess::sway(dir_, 2)), loop_(in(dir_)) {
    // The second one is 800x600 in scale 2, turned by a quarter: 300x400 in the layout.
    std::ofstream(dir_.path() + "/sway.cfg") << "xwayland disable\n"
                                             << "output HEADLESS-1 mode 640x480 position 0 0\n"
                                             << "output HEADLESS-2 mode 800x600 position 640 80 scale 2 transform 90\n"
                                             << "output * bg " << write_quarters(dir_) << " stretch\n";
    sway_.start();
  }
  void SetUp() override {
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
    for (const char* output : {"HEADLESS-1", "HEADLESS-2"}) {
      const TakenScreenshot drawn = take_screenshot_until(loop_, on_output(output), 50, 50, kTopLeft);
      ASSERT_EQ(drawn.image.at(50, 50), kTopLeft) << as_text(drawn.finished) << drawn.image.error;
    }
  }
  RuntimeDir dir_;
  CompositorProcess sway_;
  DriverLoop loop_;
};

TEST_F(SwayScreenshot, OfAnOutputIsUprightAndInItsOwnPixels) {
  const TakenScreenshot one = take_screenshot(loop_, on_output("HEADLESS-2"));
  ASSERT_EQ(one.finished.status, Status::kDone) << as_text(one.finished);
  EXPECT_EQ(one.image.width, 600U);
  EXPECT_EQ(one.image.height, 800U);
  EXPECT_EQ(one.image.at(550, 50), kTopRight);
  EXPECT_EQ(one.image.at(50, 750), kBottomLeft);
  EXPECT_EQ(one.image.at(550, 750), kBottomRight);
  EXPECT_EQ(*one.finished.result.find("outputs"), Value::array({"HEADLESS-2"}));
  EXPECT_EQ(*one.finished.result.find("bytes"), Value(std::uint64_t{one.png.size()}));
  test::record_command(loop_, "screenshot", one.finished);
}

TEST_F(SwayScreenshot, IsPixelByPixelGrimsInEveryTransform) {
  for (const char* transform : {"normal", "90", "180", "270", "flipped", "flipped-90", "flipped-180", "flipped-270"}) {
    SCOPED_TRACE(transform);
    const auto turned = loop_.run("output.transform", Value::map({{"output", "HEADLESS-2"}, {"transform", transform}}));
    ASSERT_EQ(turned.status, Status::kDone) << as_text(turned);
    // swaybg draws anew in the turned size, some time: ours and theirs are compared until they are of the same moment.
    const Instant end = monotonic_now() + seconds(10);
    TakenScreenshot ours;
    PngImage theirs;
    do {
      ours = take_screenshot_until(loop_, on_output("HEADLESS-2"), 50, 50, kTopLeft);
      theirs = grim(dir_, "wayland-1", "-o HEADLESS-2");
    } while (ours.image.pixels != theirs.pixels && monotonic_now() < end);
    ASSERT_EQ(theirs.error, "");
    EXPECT_EQ(ours.image.width, theirs.width);
    EXPECT_EQ(ours.image.height, theirs.height);
    EXPECT_TRUE(ours.image.pixels == theirs.pixels);
  }
}

TEST_F(SwayScreenshot, OfAllOutputsLiesAsTheLayoutDoesInTheGreatestScale) {
  const TakenScreenshot all = take_screenshot(loop_);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  // (640 + 300) x 480 in the layout, twice.
  EXPECT_EQ(all.image.width, 1880U);
  EXPECT_EQ(all.image.height, 960U);
  EXPECT_EQ(all.image.at(50, 50), kTopLeft);
  EXPECT_EQ(all.image.at(1230, 910), kBottomRight);
  EXPECT_EQ(all.image.at(1330, 210), kTopLeft) << "the second one begins at 640,80";
  EXPECT_EQ(all.image.at(1830, 910), kBottomRight);
  EXPECT_EQ(all.image.at(1285, 100), 0U) << "above it is nothing";
  EXPECT_EQ(*all.finished.result.find("outputs"), Value::array({"HEADLESS-1", "HEADLESS-2"}));
  const PngImage theirs = grim(dir_, "wayland-1", "");
  EXPECT_EQ(all.image.width, theirs.width);
  EXPECT_EQ(all.image.height, theirs.height);
  std::size_t different = 0;
  for (std::uint32_t y = 165; y < theirs.height; ++y) {
    for (std::uint32_t x = 1280; x < theirs.width; ++x) different += all.image.at(x, y) != theirs.at(x, y) ? 1U : 0U;
  }
  EXPECT_EQ(different, 0U) << "the second output has the greatest scale: nothing of it is changed";
}

TEST_F(SwayScreenshot, AsAThumbnailKeepsItsAspect) {
  const TakenScreenshot small =
      take_screenshot(loop_, Value::map({{"output", "HEADLESS-1"}, {"max_width", 64}, {"max_height", 64}}));
  ASSERT_EQ(small.finished.status, Status::kDone) << as_text(small.finished);
  EXPECT_EQ(small.image.width, 64U);
  EXPECT_EQ(small.image.height, 48U);
  EXPECT_EQ(small.image.at(10, 10), kTopLeft);
  EXPECT_EQ(small.image.at(60, 40), kBottomRight);
  EXPECT_EQ(take_screenshot(loop_, Value::map({{"max_width", 94}})).image.height, 48U);
}

TEST_F(SwayScreenshot, OfAnOutputThatIsNotThereIsRefusedWithThoseThatAre) {
  const TakenScreenshot none = take_screenshot(loop_, on_output("DP-7"));
  EXPECT_EQ(none.finished.status, Status::kNotFound);
  EXPECT_THAT(none.finished.error, HasSubstr("HEADLESS-1, HEADLESS-2"));
  EXPECT_EQ(none.png, "");
}

TEST_F(SwayScreenshot, OfAStoppedCompositorEndsAtItsDeadlineAndTheDriverGoesOn) {
  sway_.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(sway_.pid(), &status, WUNTRACED), sway_.pid());
  const std::size_t before = loop_.services;
  const Instant asked_at = monotonic_now();
  const TakenScreenshot late = take_screenshot(loop_, Value::map(), milliseconds(700));
  EXPECT_EQ(late.finished.status, Status::kDeadline) << as_text(late.finished);
  EXPECT_GE(to_ms(monotonic_now() - asked_at), 690);
  EXPECT_LT(loop_.services - before, 50U) << "the driver spins while the compositor is stopped";
  sway_.signal(SIGCONT);
  EXPECT_TRUE(loop_.probe(seconds(5)));
  EXPECT_EQ(take_screenshot(loop_).finished.status, Status::kDone);
}

TEST_F(SwayScreenshot, EndsWithTheCompositor) {
  sway_.signal(SIGSTOP);
  const Instant now = monotonic_now();
  loop_.driver->execute(77, "screenshot", Value::map(), now, now + seconds(30), loop_.out);
  loop_.driver->execute(78, "screenshot", Value::map(), now, now + seconds(30), loop_.out);
  sway_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  std::size_t gone = 0;
  for (const auto& event : loop_.out.events) {
    const auto* finished = std::get_if<CommandFinished>(&event);
    if (finished == nullptr || finished->command_id < 77) continue;
    EXPECT_EQ(finished->status, Status::kGone) << as_text(*finished);
    ++gone;
  }
  EXPECT_EQ(gone, 2U);
}

// --- phoc and cage ---

TEST(WlrootsScreenshot, OfPhocIsGrims) {
  RuntimeDir dir;
  CompositorProcess phoc = CompositorProcess::phoc(dir, 2);
  DriverLoop loop(in(dir));
  phoc.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  ASSERT_TRUE(loop.support_of("screenshot").supported) << loop.support_of("screenshot").reason;
  const TakenScreenshot all = take_screenshot(loop);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  EXPECT_EQ(all.image.width, 2560U);
  EXPECT_EQ(all.image.height, 720U);
  EXPECT_TRUE(all.image.pixels == grim(dir, "wayland-0", "").pixels);
  test::record_command(loop, "screenshot", all.finished);
}

TEST(WlrootsScreenshot, OfCageShowsItsClient) {
  RuntimeDir dir;
  CompositorProcess cage = CompositorProcess::cage(dir);
  DriverLoop loop(in(dir));
  cage.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  ASSERT_TRUE(loop.support_of("screenshot").supported) << loop.support_of("screenshot").reason;
  const TakenScreenshot all = take_screenshot(loop);
  ASSERT_EQ(all.finished.status, Status::kDone) << as_text(all.finished);
  EXPECT_EQ(all.image.width, 1280U);
  EXPECT_EQ(all.image.height, 720U);
  test::record_command(loop, "screenshot", all.finished);
}

// --- weston ---

CompositorProcess weston(const RuntimeDir& dir, bool debug) {
  // 640x400 in scale 2 makes a mode of 1280x800; it hangs on its side.
  const std::string ini = dir.path() + "/weston.ini";
  std::ofstream(ini) << "[output]\nname=headless\nmode=640x400\nscale=2\ntransform=rotate-90\n"
                     << "[shell]\nbackground-image=" << write_quarters(dir)
                     << "\nbackground-type=scale\npanel-position=none\n";
  std::vector<std::string> arguments{"/usr/bin/weston",    "--backend=headless-backend.so",
                                     "--use-pixman",       "--idle-time=0",
                                     "--socket=wayland-1", "--config=" + ini};
  if (debug) arguments.emplace_back("--debug");
  return {dir, std::move(arguments), {}};
}

TEST(WestonScreenshot, WithDebugIsUprightAndHasThePixelsOfWestonsOwn) {
  RuntimeDir dir;
  CompositorProcess compositor = weston(dir, true);
  DriverLoop loop(in(dir));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  ASSERT_TRUE(loop.support_of("screenshot").supported) << loop.support_of("screenshot").reason;
  const TakenScreenshot ours = take_screenshot_until(loop, Value::map(), 5, 5, kTopLeft);
  ASSERT_EQ(ours.finished.status, Status::kDone) << as_text(ours.finished);
  EXPECT_EQ(ours.image.width, 800U);
  EXPECT_EQ(ours.image.height, 1280U);
  EXPECT_EQ(ours.image.at(5, 5), kTopLeft);
  EXPECT_EQ(ours.image.at(794, 5), kTopRight);
  EXPECT_EQ(ours.image.at(5, 1274), kBottomLeft);
  EXPECT_EQ(ours.image.at(794, 1274), kBottomRight);

  // Theirs lies as the output's buffer does.
  output_of("sh -c 'cd " + dir.path() + " && XDG_RUNTIME_DIR=" + dir.path() +
            " WAYLAND_DISPLAY=wayland-1 weston-screenshooter 2>&1; mv wayland-screenshot-*.png theirs.png'");
  const PngImage theirs = test::read_png(dir.path() + "/theirs.png");
  ASSERT_EQ(theirs.error, "");
  ASSERT_EQ(theirs.width, ours.image.height);
  ASSERT_EQ(theirs.height, ours.image.width);
  std::size_t different = 0;
  for (std::uint32_t y = 0; y < ours.image.height; ++y) {
    for (std::uint32_t x = 0; x < ours.image.width; ++x) {
      different += ours.image.at(x, y) != theirs.at(y, ours.image.width - 1 - x) ? 1U : 0U;
    }
  }
  EXPECT_EQ(different, 0U);
  test::record_command(loop, "screenshot", ours.finished);
}

TEST(WestonScreenshot, WithoutDebugIsRefusedForGoodAndTheDriverKeepsItsConnection) {
  RuntimeDir dir;
  CompositorProcess compositor = weston(dir, false);
  DriverLoop loop(in(dir));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  ASSERT_TRUE(loop.support_of("screenshot").supported) << "nothing tells before it is tried";
  const std::size_t described = loop.count<Described>();
  const TakenScreenshot refused = take_screenshot(loop);
  EXPECT_EQ(refused.finished.status, Status::kUnsupported) << as_text(refused.finished);
  EXPECT_EQ(refused.finished.error, "weston permits screenshots only when it was started with --debug");
  EXPECT_EQ(refused.png, "");
  ASSERT_TRUE(loop.run_until([&] { return loop.count<Described>() > described; }));
  EXPECT_FALSE(loop.support_of("screenshot").supported);
  EXPECT_EQ(loop.support_of("screenshot").reason, refused.finished.error);
  EXPECT_TRUE(loop.probe(seconds(5)));

  const std::size_t before = loop.services;
  EXPECT_EQ(take_screenshot(loop).finished.status, Status::kUnsupported);
  EXPECT_EQ(loop.services, before) << "it is answered without asking weston again";
}

}  // namespace
}  // namespace compositord
