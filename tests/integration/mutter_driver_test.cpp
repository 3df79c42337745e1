// Mutter: life and death by its Wayland socket, outputs by its D-Bus service.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "agent/driver.h"
#include "common/base/clock.h"
#include "tests/support/bus_client.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"
#include "tests/support/support_facts.h"

namespace compositord {
namespace {

using agent::driver_event::Described;
using agent::driver_event::Gone;
using agent::driver_event::OutputsChanged;
using msg::OutputState;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::BusClient;
using test::CompositorProcess;
using test::DriverLoop;
using test::field;
using test::find_output;
using test::on_output;
using test::output_of;
using test::RuntimeDir;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

// Meta-1 is the larger one: Mutter makes it the primary one at 0,0, and Meta-0 stands to its right.
class Mutter : public ::testing::Test {
 protected:
  Mutter()
      : bus_(CompositorProcess::session_bus(dir_)),
        mutter_(CompositorProcess::mutter(dir_, {"1280x720@60", "1920x1080@60"})),
        loop_({dir_.path(), {}, {}}) {}
  void SetUp() override {
    bus_.start();
    ASSERT_TRUE(bus_.wait_until_listening("bus"));
    mutter_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
    ASSERT_TRUE(wait_until_supported(true)) << loop_.log_text() << reason("output.scale");
  }
  const msg::Manifest& manifest() const { return loop_.last<Described>()->manifest; }
  const msg::Output* described(const std::string& name) const { return find_output(manifest(), name); }
  std::string reason(const std::string& name) const { return loop_.support_of(name).reason; }
  bool wait_until_supported(bool supported) {
    return loop_.run_until([&] { return loop_.support_of("output.scale").supported == supported; });
  }
  // The two witnesses that aren't our code.
  std::string wayland_info() const { return test::wayland_info(dir_, "wayland-0"); }
  std::string state() const {
    return output_of("busctl --address=unix:path=" + dir_.path() +
                     "/bus call org.gnome.Mutter.DisplayConfig /org/gnome/Mutter/DisplayConfig "
                     "org.gnome.Mutter.DisplayConfig GetCurrentState 2>&1");
  }
  // Another client of the bus changes something.
  std::string apply(const std::string& arguments) const {
    return output_of("busctl --address=unix:path=" + dir_.path() +
                     "/bus call org.gnome.Mutter.DisplayConfig /org/gnome/Mutter/DisplayConfig "
                     "org.gnome.Mutter.DisplayConfig ApplyMonitorsConfig 'uua(iiduba(ssa{sv}))a{sv}' " +
                     arguments + " 2>&1");
  }
  RuntimeDir dir_;
  CompositorProcess bus_;
  CompositorProcess mutter_;
  DriverLoop loop_;
};

TEST_F(Mutter, IsDescribed) {
  EXPECT_EQ(manifest().name, "mutter");
  EXPECT_EQ(manifest().version, "43.8");
  EXPECT_EQ(manifest().pid, static_cast<std::uint64_t>(mutter_.pid()));
  const msg::Output* output = described("Meta-0");
  ASSERT_NE(output, nullptr);
  EXPECT_EQ(output->make, "MetaVendor");
  EXPECT_EQ(output->serial, "0x00") << "which only D-Bus tells";
  EXPECT_EQ(output->x, 1920);
  EXPECT_EQ(output->modes.size(), 1U);
  for (const auto& command : manifest().commands) {
    if (!command.name.starts_with("output.") || command.name == "output.add") continue;
    EXPECT_EQ(command.supported, command.name != "output.power") << command.name << ": " << command.reason;
  }
  EXPECT_THAT(reason("output.power"), HasSubstr("all its outputs at once"));
  EXPECT_TRUE(loop_.logged("dbus.connected") && loop_.logged("dbus.found")) << loop_.log_text();
  EXPECT_FALSE(loop_.logged("dbus.not_ours")) << loop_.log_text();
}

TEST_F(Mutter, SwitchesThePowerOfItsOnlyOutput) {
  const auto mode = [&] {
    return output_of("busctl --address=unix:path=" + dir_.path() +
                     "/bus get-property org.gnome.Mutter.DisplayConfig /org/gnome/Mutter/DisplayConfig "
                     "org.gnome.Mutter.DisplayConfig PowerSaveMode 2>&1");
  };
  const auto refused = loop_.run("output.power", Value::map({{"output", "Meta-0"}, {"on", false}}));
  EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
  EXPECT_EQ(refused.error, "mutter switches the power of all its outputs at once, not of one, and 2 are in use");
  EXPECT_THAT(mode(), HasSubstr("i 0"));
  ASSERT_EQ(loop_.run("output.disable", on_output("Meta-1")).status, Status::kDone);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.support_of("output.power").supported; })) << reason("output.power");
  const auto off = loop_.run("output.power", Value::map({{"output", "Meta-0"}, {"on", false}}));
  ASSERT_EQ(off.status, Status::kDone) << as_text(off);
  EXPECT_EQ(field(off.result, "before", "powered"), Value(true));
  EXPECT_EQ(field(off.result, "after", "powered"), Value(false));
  EXPECT_THAT(mode(), HasSubstr("i 3"));
  const auto is = [&](OutputState state) {
    return loop_.run_until([&] {
      const auto* states = loop_.last<OutputsChanged>();
      return states != nullptr && testing::Value(states->outputs, Contains(Pair("Meta-0", state)));
    });
  };
  EXPECT_TRUE(is(OutputState::kOff)) << "a screen that shows nothing is off";
  const auto on = loop_.run("output.power", Value::map({{"output", "Meta-0"}, {"on", true}}));
  ASSERT_EQ(on.status, Status::kDone) << as_text(on);
  EXPECT_THAT(mode(), HasSubstr("i 0"));
  EXPECT_TRUE(is(OutputState::kOn));
  // Somebody else does it, as gnome-shell's own idle monitor would.
  output_of("busctl --address=unix:path=" + dir_.path() +
            "/bus set-property org.gnome.Mutter.DisplayConfig /org/gnome/Mutter/DisplayConfig "
            "org.gnome.Mutter.DisplayConfig PowerSaveMode i 1");
  EXPECT_TRUE(is(OutputState::kOff));
  test::record_command(loop_, "output.power", on);
}

TEST_F(Mutter, SwitchesAnOutputOffAndOnAgain) {
  EXPECT_THAT(wayland_info(), HasSubstr("Meta-1"));
  const auto off = loop_.run("output.disable", on_output("Meta-1"));
  ASSERT_EQ(off.status, Status::kDone) << as_text(off);
  EXPECT_EQ(field(off.result, "before", "x"), Value(0));
  EXPECT_EQ(field(off.result, "after", "current_mode"), Value("missing")) << as_text(off);
  EXPECT_THAT(wayland_info(), Not(HasSubstr("Meta-1")));
  EXPECT_TRUE(loop_.run_until([&] { return described("Meta-0")->x == 0; })) << "it stood beside it, and moved up";
  EXPECT_TRUE(loop_.run_until([&] {
    const auto* states = loop_.last<OutputsChanged>();
    return states != nullptr && testing::Value(states->outputs, Contains(Pair("Meta-1", OutputState::kOff)));
  })) << "off is not gone";
  const auto again = loop_.run("output.enable", on_output("Meta-1"));
  EXPECT_EQ(again.status, Status::kDone) << as_text(again);
  EXPECT_THAT(wayland_info(), HasSubstr("Meta-1"));
  EXPECT_TRUE(loop_.run_until([&] { return described("Meta-1")->x == 1280; }));
  test::record_command(loop_, "output.disable", off);
  test::record_command(loop_, "output.enable", again);
}

TEST_F(Mutter, RefusesToSwitchItsLastOutputOff) {
  ASSERT_EQ(loop_.run("output.disable", on_output("Meta-1")).status, Status::kDone);
  const auto refused = loop_.run("output.disable", on_output("Meta-0"));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("Monitors config incomplete")) << "Mutter's own words";
  EXPECT_THAT(wayland_info(), HasSubstr("Meta-0"));
}

TEST_F(Mutter, SetsAScaleThatTheModeTakes) {
  const auto done = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 2}}));
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "scale"), Value(2.0));
  EXPECT_THAT(state(), HasSubstr("0 0 2 0 true 1 \"Meta-1\""));
  EXPECT_TRUE(loop_.run_until([&] { return described("Meta-1")->scale == 2; }));
  test::record_command(loop_, "output.scale", done);
}

TEST_F(Mutter, ChangesSeveralOutputsTogetherOrNone) {
  const Value turned = Value::map({{"output", "Meta-0"}, {"transform", "180"}});
  const auto done =
      loop_.run("output.configure", test::configure({Value::map({{"output", "Meta-1"}, {"scale", 2}}), turned}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_THAT(wayland_info(), HasSubstr("output_transform: 180"));
  EXPECT_TRUE(loop_.run_until([&] { return described("Meta-1")->scale == 2; }));
  test::record_command(loop_, "output.configure", done);
  const auto refused =
      loop_.run("output.configure", test::configure({Value::map({{"output", "Meta-1"}, {"scale", 1}}),
                                                     Value::map({{"output", "Meta-0"}, {"x", 9000}, {"y", 0}})}));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_EQ(described("Meta-1")->scale, 2);
}

TEST_F(Mutter, RefusesAnotherScaleWithTheListOfThoseItTakes) {
  const auto refused = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 1.5}}));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("Meta-1 at 1920x1080@60.000 can't have the scale 1.5; it can have 1, 2"));
  EXPECT_THAT(state(), HasSubstr("0 0 1 0 true 1 \"Meta-1\""));
}

TEST_F(Mutter, SetsAPosition) {
  const auto done = loop_.run("output.position", Value::map({{"output", "Meta-0"}, {"x", 1920}, {"y", 100}}));
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "y"), Value(100));
  EXPECT_THAT(wayland_info(), HasSubstr("x: 1920, y: 100"));
  test::record_command(loop_, "output.position", done);
}

TEST_F(Mutter, SaysWhyAPositionIsRefused) {
  const auto refused = loop_.run("output.position", Value::map({{"output", "Meta-0"}, {"x", 5000}, {"y", 0}}));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("nothing was changed (Logical monitors not adjacent)"));
  EXPECT_EQ(field(refused.result, "after", "x"), Value(1920));
}

TEST_F(Mutter, SetsATransformAndTheNeighbourMovesAlong) {
  const auto done = loop_.run("output.transform", Value::map({{"output", "Meta-1"}, {"transform", "90"}}));
  ASSERT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(done.result, "after", "transform"), Value("90"));
  EXPECT_THAT(wayland_info(), HasSubstr("output_transform: 90"));
  EXPECT_TRUE(loop_.run_until([&] { return described("Meta-0")->x == 1080; })) << state();
  test::record_command(loop_, "output.transform", done);
}

TEST_F(Mutter, TakesOnlyTheModesItHas) {
  const auto refused =
      loop_.run("output.mode", Value::map({{"output", "Meta-0"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(refused.status, Status::kNotFound) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("1280x720"));
  const auto same =
      loop_.run("output.mode", Value::map({{"output", "Meta-0"}, {"width_px", 1280}, {"height_px", 720}}));
  EXPECT_EQ(same.status, Status::kDone) << as_text(same);
  test::record_command(loop_, "output.mode", same);
}

TEST_F(Mutter, IsReadAgainWhenSomebodyElseChangedIt) {
  apply("2 1 2 0 0 1 0 true 1 Meta-1 1920x1080@60.000 0 0 1080 1 0 false 1 Meta-0 1280x720@60.000 0 0");
  EXPECT_TRUE(loop_.run_until([&] { return described("Meta-0")->y == 1080; })) << state();
  const auto done = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 2}}));
  EXPECT_EQ(done.status, Status::kDone) << "with the new serial: " << as_text(done);
}

TEST_F(Mutter, EndsACommandByItsDeadlineWhenItIsStopped) {
  mutter_.signal(SIGSTOP);
  const Instant begin = monotonic_now();
  const auto late = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 2}}), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_LT(monotonic_now() - begin, seconds(5));
  mutter_.signal(SIGCONT);
  EXPECT_TRUE(loop_.probe(seconds(5)));
  const auto done = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 2}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

TEST_F(Mutter, GoesOnTickingWhileItsBusIsStopped) {
  bus_.signal(SIGSTOP);
  const Instant begin = monotonic_now();
  const auto late = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 2}}), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_LT(monotonic_now() - begin, seconds(5));
  EXPECT_TRUE(loop_.probe(seconds(1))) << "its Wayland side is well";
  bus_.signal(SIGCONT);
  const auto done = loop_.run("output.scale", Value::map({{"output", "Meta-0"}, {"scale", 1}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

TEST_F(Mutter, DoesNotKeepTheLoopBusy) {
  const std::size_t before = loop_.services;
  EXPECT_FALSE(loop_.run_until([] { return false; }, milliseconds(300)));
  EXPECT_LT(loop_.services - before, 10U);
}

TEST_F(Mutter, IsNotTakenForAnotherProcessWithItsName) {
  auto stranger = std::make_unique<BusClient>(dir_.path() + "/bus");
  ASSERT_TRUE(stranger->take_name("org.gnome.Mutter.DisplayConfig")) << "Mutter lets others replace it";
  const std::string why =
      fmt::format("mutter does not own org.gnome.Mutter.DisplayConfig on its session bus: process {} does", ::getpid());
  ASSERT_TRUE(loop_.run_until([&] { return reason("output.scale") == why; })) << reason("output.scale");
  EXPECT_TRUE(loop_.logged("dbus.not_ours"));
  const auto refused = loop_.run("output.scale", Value::map({{"output", "Meta-1"}, {"scale", 2}}));
  EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
  // Its signals mean nothing, and hold nobody up.
  for (int i = 0; i < 1000; ++i) {
    stranger->emit("/org/gnome/Mutter/DisplayConfig", "org.gnome.Mutter.DisplayConfig", "MonitorsChanged");
  }
  EXPECT_TRUE(loop_.probe(seconds(1)));
  stranger.reset();
  EXPECT_TRUE(wait_until_supported(true)) << "Mutter waits in the queue for its name: " << reason("output.scale");
}

TEST_F(Mutter, EndsWithItsBusAndIsSeenAgainWithBoth) {
  bus_.signal(SIGKILL);
  bus_.reap();
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }))
      << "GLib ends programs that lose their session bus";
  // It closes its socket first; what it tidies up behind that can take longer than an end may wait to be reported.
  EXPECT_THAT(loop_.last<Gone>()->text, AnyOf("exited with code 0", "closed its Wayland socket"));
  const auto status = mutter_.reap();
  ASSERT_TRUE(status);
  EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
  bus_.start();
  ASSERT_TRUE(bus_.wait_until_listening("bus"));
  mutter_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_TRUE(wait_until_supported(true)) << reason("output.scale");
}

TEST_F(Mutter, IsGoneWithTheSignalThatKilledItAndSeenAgain) {
  mutter_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  EXPECT_EQ(loop_.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  mutter_.reap();
  mutter_.start();
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_EQ(manifest().pid, static_cast<std::uint64_t>(mutter_.pid()));
  EXPECT_TRUE(wait_until_supported(true)) << reason("output.scale");
}

}  // namespace
}  // namespace compositord
