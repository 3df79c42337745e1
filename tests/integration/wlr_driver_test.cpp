// The wlr protocols against real compositors: phoc, whose wlr-output-management tells the truth, and cage, which has none.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <string>

#include "agent/driver.h"
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
using test::on_output;
using test::output_of;
using test::RuntimeDir;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

class PhocCommands : public ::testing::Test {
 protected:
  PhocCommands() : phoc_(CompositorProcess::phoc(dir_, 2)), loop_({dir_.path(), {}, {}}) {}
  void SetUp() override {
    phoc_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  // What wlr-randr says of an output, the witness that isn't our code.
  std::string wlr_randr(const std::string& output) const {
    const std::string all = output_of("env XDG_RUNTIME_DIR=" + dir_.path() + " WAYLAND_DISPLAY=wayland-0 wlr-randr");
    const std::size_t begin = all.find(output);
    return begin == std::string::npos ? all : all.substr(begin, all.find("HEADLESS", begin + 1) - begin);
  }
  const msg::Output* described(const std::string& name) const {
    return find_output(loop_.last<Described>()->manifest, name);
  }
  RuntimeDir dir_;
  CompositorProcess phoc_;
  DriverLoop loop_;
};

TEST_F(PhocCommands, AreAnnouncedAndAllButReloadSupported) {
  const auto& commands = loop_.last<Described>()->manifest.commands;
  for (const auto& command : commands) {
    if (!command.name.starts_with("output.")) continue;
    EXPECT_EQ(command.supported, command.name != "output.add") << command.name << ": " << command.reason;
  }
  EXPECT_GE(commands.size(), 9U);
}

TEST_F(PhocCommands, SetACustomModeWithItsRefreshRate) {
  const auto done =
      loop_.run("output.mode",
                Value::map({{"output", "HEADLESS-1"}, {"width_px", 1024}, {"height_px", 768}, {"refresh_mhz", 50000}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "before", "current_mode", "width_px"), Value(1280));
  EXPECT_EQ(field(done.result, "after", "current_mode", "width_px"), Value(1024));
  EXPECT_EQ(field(done.result, "after", "current_mode", "refresh_mhz"), Value(50000));
  EXPECT_THAT(wlr_randr("HEADLESS-1"), HasSubstr("1024x768 px, 50.000000 Hz (current)"));
  EXPECT_THAT(wlr_randr("HEADLESS-2"), HasSubstr("1280x720 px, 60.000000 Hz (current)")) << "the other one stays";
  EXPECT_TRUE(loop_.run_until([&] {
    const msg::Output* output = described("HEADLESS-1");
    return output != nullptr && output->current_mode && output->current_mode->width_px == 1024;
  })) << "the manifest does not follow";
  test::record_command(loop_, "output.mode", done);
}

TEST_F(PhocCommands, ChangeAllOfAnOutputAtOnce) {
  const Value wish = Value::map({{"output", "HEADLESS-1"},
                                 {"width_px", 1024},
                                 {"height_px", 768},
                                 {"scale", 2},
                                 {"x", 50},
                                 {"y", 60},
                                 {"transform", "90"}});
  const auto done = loop_.run("output.configure", test::configure({wish}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  const Value after = done.result.find("after")->if_array()->front();
  EXPECT_EQ(field(after, "current_mode", "width_px"), Value(1024)) << as_text(done);
  EXPECT_EQ(field(after, "x"), Value(50));
  EXPECT_EQ(field(after, "transform"), Value("90"));
  test::record_command(loop_, "output.configure", done);
  // A part that phoc can't do: the others are not done either.
  const auto refused =
      loop_.run("output.configure", test::configure({Value::map({{"output", "HEADLESS-1"}, {"enabled", false}})}));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
}

TEST_F(PhocCommands, SetAFractionalScale) {
  const auto done = loop_.run("output.scale", Value::map({{"output", "HEADLESS-2"}, {"scale", 1.5}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "scale"), Value(1.5));
  EXPECT_THAT(wlr_randr("HEADLESS-2"), HasSubstr("Scale: 1.500000"));
  EXPECT_TRUE(loop_.run_until([&] { return described("HEADLESS-2")->scale == 1.5; }));
  test::record_command(loop_, "output.scale", done);
}

TEST_F(PhocCommands, SetAPosition) {
  const auto done = loop_.run("output.position", Value::map({{"output", "HEADLESS-2"}, {"x", 3000}, {"y", 40}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "x"), Value(3000));
  EXPECT_THAT(wlr_randr("HEADLESS-2"), HasSubstr("Position: 3000,40"));
  test::record_command(loop_, "output.position", done);
}

TEST_F(PhocCommands, SetATransformAsWaylandMeansIt) {
  const auto done = loop_.run("output.transform", Value::map({{"output", "HEADLESS-1"}, {"transform", "90"}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "transform"), Value("90"));
  EXPECT_THAT(wlr_randr("HEADLESS-1"), HasSubstr("Transform: 90"));
  test::record_command(loop_, "output.transform", done);
}

TEST_F(PhocCommands, FollowOneAnotherInTheirOrder) {
  const Instant now = monotonic_now();
  for (std::uint64_t i = 1; i <= 8; ++i) {
    loop_.driver->execute(100 + i, "output.scale",
                          Value::map({{"output", "HEADLESS-1"}, {"scale", i % 2 == 0 ? 1.0 : 2.0}}), now,
                          now + seconds(10), loop_.out);
  }
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<CommandFinished>() == 8; }));
  std::uint64_t expected = 101;
  for (const auto& event : loop_.out.events) {
    const auto* finished = std::get_if<CommandFinished>(&event);
    if (finished == nullptr) continue;
    EXPECT_EQ(finished->command_id, expected++);
    EXPECT_EQ(finished->status, Status::kDone) << as_text(*finished);
  }
  EXPECT_THAT(wlr_randr("HEADLESS-1"), HasSubstr("Scale: 1.000000"));
}

TEST_F(PhocCommands, SayWhatPhocSaidWhenItCanNotSwitchOff) {
  const auto failed = loop_.run("output.disable", on_output("HEADLESS-1"));
  EXPECT_EQ(failed.status, Status::kFailed) << as_text(failed);
  EXPECT_THAT(failed.error, AllOf(HasSubstr("phoc"), HasSubstr("\"failed\"")));
  EXPECT_EQ(field(failed.result, "before", "current_mode", "width_px"), Value(1280));
  EXPECT_EQ(field(failed.result, "after", "current_mode", "width_px"), Value(1280));
  EXPECT_THAT(wlr_randr("HEADLESS-1"), HasSubstr("Enabled: yes"));
  test::record_command(loop_, "output.disable", failed);
}

TEST_F(PhocCommands, EnableWhatIsEnabledAlready) {
  const auto done = loop_.run("output.enable", on_output("HEADLESS-1"));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

TEST_F(PhocCommands, DoNotBelieveThatThePowerIsOff) {
  // phoc's headless outputs stay on, and it says nothing of that.
  const auto failed = loop_.run("output.power", Value::map({{"output", "HEADLESS-1"}, {"on", false}}));
  EXPECT_EQ(failed.status, Status::kFailed) << as_text(failed);
  EXPECT_EQ(failed.error, "phoc accepted it and did not do it");
  EXPECT_EQ(field(failed.result, "before", "powered"), Value(true));
  EXPECT_EQ(field(failed.result, "after", "powered"), Value(true));
  test::record_command(loop_, "output.power", failed);
  const auto done = loop_.run("output.power", Value::map({{"output", "HEADLESS-1"}, {"on", true}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

TEST_F(PhocCommands, AreRefusedWithTheReason) {
  const auto unknown = loop_.run("output.enable", on_output("NOPE-1"));
  EXPECT_EQ(unknown.status, Status::kNotFound) << as_text(unknown);
  EXPECT_THAT(unknown.error, AllOf(HasSubstr("NOPE-1"), HasSubstr("phoc has HEADLESS-")));
  const auto malformed = loop_.run("output.power", on_output("HEADLESS-1"));
  EXPECT_EQ(malformed.status, Status::kMalformed);
  EXPECT_EQ(malformed.error, "on: missing");
  EXPECT_EQ(loop_.run("output.paint", Value::map()).status, Status::kNotFound);
}

TEST_F(PhocCommands, EndByTheirDeadlineWhenPhocIsStopped) {
  phoc_.signal(SIGSTOP);
  const Instant begun = monotonic_now();
  const auto late = loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_EQ(late.error, "the compositor did not answer in time; nothing was changed");
  EXPECT_LT(monotonic_now() - begun, seconds(5));
  phoc_.signal(SIGCONT);
  // The late outcome belongs to nobody, and the next command is not confused by it.
  const auto done = loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 3}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_THAT(wlr_randr("HEADLESS-1"), HasSubstr("Scale: 3.000000"));
}

TEST_F(PhocCommands, EndWhenPhocDiesUnderThem) {
  phoc_.signal(SIGSTOP);
  const Instant now = monotonic_now();
  loop_.driver->execute(77, "output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}), now,
                        now + seconds(20), loop_.out);
  phoc_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  ASSERT_EQ(loop_.count<CommandFinished>(), 1U);
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kGone);
  EXPECT_TRUE(std::holds_alternative<Gone>(loop_.out.events.back())) << "Gone is the last event of a driver";
}

TEST(CageCommands, AreRefusedWithTheReason) {
  RuntimeDir dir;
  CompositorProcess cage = CompositorProcess::cage(dir);
  DriverLoop loop({dir.path(), {}, {}});
  cage.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  for (const auto& command : loop.last<Described>()->manifest.commands) {
    EXPECT_EQ(command.supported, command.name == "screenshot") << command.name;
    if (command.supported) continue;
    EXPECT_THAT(command.reason, AnyOf(HasSubstr("cage offers no "), HasSubstr("cage has no "))) << command.name;
  }
  const auto refused = loop.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}));
  EXPECT_EQ(refused.status, Status::kUnsupported);
  EXPECT_THAT(loop.last<Described>()->manifest.commands,
              Contains(AllOf(Field(&msg::CommandSupport::name, "output.scale"),
                             Field(&msg::CommandSupport::reason, refused.error))));
}

}  // namespace
}  // namespace compositord
