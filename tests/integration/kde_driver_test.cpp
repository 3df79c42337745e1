// KWin through KDE's output protocols: the one headless compositor that really switches outputs off and on again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <string>

#include "agent/driver.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"

namespace compositord {
namespace {

using agent::driver_event::CauseSeen;
using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using agent::driver_event::Gone;
using agent::driver_event::OutputsChanged;
using agent::driver_event::ProbeAnswered;
using msg::OutputState;
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
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class Kwin : public ::testing::Test {
 protected:
  Kwin()
      : bus_(CompositorProcess::session_bus(dir_)),
        kwin_(CompositorProcess::kwin(dir_, 2)),
        loop_({dir_.path(), {}, {}}) {}
  void SetUp() override {
    bus_.start();
    ASSERT_TRUE(bus_.wait_until_listening("bus"));
    kwin_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  const msg::Manifest& manifest() const { return loop_.last<Described>()->manifest; }
  const msg::Output* described(const std::string& name) const { return find_output(manifest(), name); }
  std::string wayland_info() const { return test::wayland_info(dir_, "wayland-0"); }
  RuntimeDir dir_;
  CompositorProcess bus_;
  CompositorProcess kwin_;
  DriverLoop loop_;
};

TEST_F(Kwin, IsDescribed) {
  // On a busy machine it is described before its executable has told its version.
  ASSERT_TRUE(loop_.run_until([&] { return !manifest().version.empty(); })) << loop_.log_text();
  EXPECT_EQ(manifest().name, "kwin_wayland");
  EXPECT_EQ(manifest().version, "5.27.5");
  EXPECT_EQ(manifest().version_source, "dbus") << "in KWin's own words";
  EXPECT_EQ(manifest().display, "wayland-0");
  EXPECT_EQ(manifest().pid, static_cast<std::uint64_t>(kwin_.pid()));
  EXPECT_THAT(manifest().protocols, Contains(Field(&msg::Protocol::name, "kde_output_management_v2")));
  ASSERT_EQ(manifest().outputs.size(), 2U);
  const msg::Output* output = described("Virtual-0");
  ASSERT_NE(output, nullptr);
  ASSERT_TRUE(output->current_mode);
  EXPECT_EQ(output->current_mode->width_px, 1280U);
  EXPECT_EQ(output->modes.size(), 1U);
  for (const auto& command : manifest().commands) {
    if (!command.name.starts_with("output.")) continue;
    const bool can = command.name != "output.power" && command.name != "output.add";
    EXPECT_EQ(command.supported, can) << command.name << ": " << command.reason;
  }
  test::record_seen(loop_, "up");
}

TEST_F(Kwin, RefusesWhatItCanNotDoWithTheManifestsReason) {
  test::expect_and_record_refusals(loop_, "Virtual-0", "screenshot");  // a matter of how it draws: kwin_screenshot_test
}

TEST_F(Kwin, AnswersProbesUnlessItIsStopped) {
  EXPECT_TRUE(loop_.probe(seconds(5)));
  kwin_.signal(SIGSTOP);
  EXPECT_FALSE(loop_.probe(milliseconds(700)));
  loop_.driver->look_at_process(loop_.out);
  EXPECT_EQ(loop_.last<CauseSeen>()->cause, "stopped");
  kwin_.signal(SIGCONT);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.count<ProbeAnswered>() == 2; }));
  test::record_seen(loop_, "frozen");
}

TEST_F(Kwin, IsGoneWithTheSignalThatKilledItAndSeenAgain) {
  kwin_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  test::record_seen(loop_, "killed");
  kwin_.reap();
  kwin_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_EQ(manifest().pid, static_cast<std::uint64_t>(kwin_.pid()));
  test::record_seen(loop_, "back");
}

TEST_F(Kwin, EndsWithItsOwnCodeWhenItIsAskedTo) {
  kwin_.signal(SIGTERM);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->end.code, 15);
  EXPECT_EQ(loop_.last<Gone>()->text, "exited with code 15, as kwin_wayland ends when it is asked to");
  EXPECT_TRUE(loop_.last<Gone>()->as_when_asked);
  test::record_seen(loop_, "ended");
}

TEST_F(Kwin, SwitchesAnOutputOffAndOnAgain) {
  EXPECT_THAT(wayland_info(), HasSubstr("Virtual-1"));
  const auto off = loop_.run("output.disable", on_output("Virtual-1"));
  EXPECT_EQ(off.status, Status::kDone) << as_text(off);
  EXPECT_NE(field(off.result, "before", "current_mode"), Value("missing")) << as_text(off);
  EXPECT_EQ(field(off.result, "after", "current_mode"), Value("missing")) << as_text(off);
  EXPECT_THAT(wayland_info(), Not(HasSubstr("Virtual-1")));
  EXPECT_TRUE(loop_.run_until([&] {
    const auto* states = loop_.last<OutputsChanged>();
    return states != nullptr && testing::Value(states->outputs, Contains(Pair("Virtual-1", OutputState::kOff)));
  })) << "off is not gone";
  const auto refused = loop_.run("output.scale", Value::map({{"output", "Virtual-1"}, {"scale", 2}}));
  EXPECT_EQ(refused.status, Status::kFailed);
  EXPECT_THAT(refused.error, HasSubstr("output.enable"));
  const auto again = loop_.run("output.enable", on_output("Virtual-1"));
  EXPECT_EQ(again.status, Status::kDone) << as_text(again);
  EXPECT_THAT(wayland_info(), HasSubstr("Virtual-1"));
  test::record_command(loop_, "output.disable", off);
  test::record_command(loop_, "output.enable", again);
}

TEST_F(Kwin, ChangesSeveralOutputsTogetherOrNone) {
  const Value first = Value::map({{"output", "Virtual-0"}, {"scale", 1.5}});
  const auto done = loop_.run("output.configure",
                              test::configure({first, Value::map({{"output", "Virtual-1"}, {"x", 2000}, {"y", 100}})}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(done.result.find("before")->if_array()->size(), 2U) << as_text(done);
  EXPECT_EQ(field(done.result.find("after")->if_array()->at(1), "x"), Value(2000)) << as_text(done);
  EXPECT_EQ(described("Virtual-0")->scale, 1.5);
  test::record_command(loop_, "output.configure", done);
  // kwin keeps one output on; what was asked of the other one isn't done either.
  const auto refused =
      loop_.run("output.configure", test::configure({Value::map({{"output", "Virtual-0"}, {"enabled", false}}),
                                                     Value::map({{"output", "Virtual-1"}, {"enabled", false}})}));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(wayland_info(), AllOf(HasSubstr("Virtual-0"), HasSubstr("Virtual-1")));
}

TEST_F(Kwin, RefusesToSwitchItsLastOutputOff) {
  ASSERT_EQ(loop_.run("output.disable", on_output("Virtual-1")).status, Status::kDone);
  const auto refused = loop_.run("output.disable", on_output("Virtual-0"));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_EQ(refused.error, "kwin_wayland refused this configuration; nothing was changed");
  EXPECT_THAT(wayland_info(), HasSubstr("Virtual-0"));
}

TEST_F(Kwin, SetsAFractionalScale) {
  const auto done = loop_.run("output.scale", Value::map({{"output", "Virtual-0"}, {"scale", 1.25}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "scale"), Value(1.25));
  EXPECT_TRUE(loop_.run_until([&] { return described("Virtual-0")->scale == 1.25; }));
  test::record_command(loop_, "output.scale", done);
}

TEST_F(Kwin, SetsAPosition) {
  const auto done = loop_.run("output.position", Value::map({{"output", "Virtual-1"}, {"x", 1280}, {"y", 40}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "y"), Value(40));
  EXPECT_THAT(wayland_info(), HasSubstr("x: 1280, y: 40"));
  test::record_command(loop_, "output.position", done);
}

TEST_F(Kwin, SetsATransformAsWaylandMeansIt) {
  const auto done = loop_.run("output.transform", Value::map({{"output", "Virtual-0"}, {"transform", "90"}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "transform"), Value("90"));
  EXPECT_THAT(wayland_info(), HasSubstr("output_transform: 90"));
  test::record_command(loop_, "output.transform", done);
}

TEST_F(Kwin, TakesOnlyTheModesItHas) {
  const auto refused =
      loop_.run("output.mode", Value::map({{"output", "Virtual-0"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(refused.status, Status::kNotFound) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("1280x720"));
  const auto done =
      loop_.run("output.mode", Value::map({{"output", "Virtual-0"}, {"width_px", 1280}, {"height_px", 720}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  test::record_command(loop_, "output.mode", done);
}

TEST_F(Kwin, ReadsItsConfigurationAgain) {
  const auto option = [&] {
    return output_of("busctl --address=unix:path=" + dir_.path() +
                     "/bus call org.kde.KWin /KWin org.kde.KWin supportInformation 2>&1");
  };
  ASSERT_THAT(option(), HasSubstr("clickRaise: true"));
  std::ofstream(dir_.path() + "/kwinrc") << "[Windows]\nClickRaise=false\n";
  const auto done = loop_.run("reload", Value());
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "checked"), Value(false)) << "KWin can't check one";
  // It waits for a moment of rest before it does what it said, and makes no event of it.
  const Instant end = monotonic_now() + seconds(10);
  bool has_read = false;
  while (!has_read && monotonic_now() < end) has_read = option().find("clickRaise: false") != std::string::npos;
  EXPECT_TRUE(has_read);
  test::record_command(loop_, "reload", done);
}

TEST_F(Kwin, TakesNoParametersForAReload) {
  const auto refused = loop_.run("reload", Value::map({{"file", "/etc/passwd"}}));
  EXPECT_EQ(refused.status, Status::kMalformed) << as_text(refused);
}

TEST_F(Kwin, EndsAReloadByItsDeadlineWhenItOrItsBusIsStopped) {
  for (const CompositorProcess* stopped : {&kwin_, &bus_}) {
    stopped->signal(SIGSTOP);
    const Instant begin = monotonic_now();
    const auto late = loop_.run("reload", Value(), milliseconds(200));
    EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
    EXPECT_LT(monotonic_now() - begin, seconds(5));
    stopped->signal(SIGCONT);
  }
  EXPECT_EQ(loop_.run("reload", Value()).status, Status::kDone) << "and goes on";
}

TEST_F(Kwin, LosesReloadWithItsBusAndKeepsItsOutputs) {
  bus_.signal(SIGKILL);
  bus_.reap();
  ASSERT_TRUE(loop_.run_until([&] { return !loop_.support_of("reload").supported; }));
  EXPECT_THAT(loop_.support_of("reload").reason, HasSubstr("kwin_wayland can't be reached over D-Bus: "));
  EXPECT_TRUE(loop_.support_of("output.scale").supported);
  bus_.start();
  ASSERT_TRUE(bus_.wait_until_listening("bus"));
  // Qt connects to its session bus once.
  EXPECT_TRUE(loop_.run_until([&] {
    return loop_.support_of("reload").reason.find("has not taken the name org.kde.KWin") != std::string::npos;
  })) << loop_.support_of("reload").reason;
}

TEST_F(Kwin, EndsACommandByItsDeadlineWhenItIsStopped) {
  kwin_.signal(SIGSTOP);
  const auto late = loop_.run("output.scale", Value::map({{"output", "Virtual-0"}, {"scale", 2}}), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_THAT(late.error, HasSubstr("its outcome is unknown"));
  kwin_.signal(SIGCONT);
}

}  // namespace
}  // namespace compositord
