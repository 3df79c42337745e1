// The Wayland and sway drivers against real compositors. What the wlr protocols do is in wlr_driver_test.cpp.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <chrono>
#include <filesystem>
#include <optional>
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
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::as_text;
using test::CompositorProcess;
using test::DriverLoop;
using test::field;
using test::find_output;
using test::output_of;
using test::RuntimeDir;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Pair;

agent::DisplaySettings in(const RuntimeDir& dir, std::string wanted = {}) {
  return agent::DisplaySettings{dir.path(), std::move(wanted), {}};
}

// What swaymsg says of an output, the witness that isn't our code.
Value swaymsg_output(const CompositorProcess& sway, const std::string& name) {
  const auto outputs = msg::decode_json(output_of("swaymsg -r -s " + sway.ipc_socket() + " -t get_outputs"));
  if (!outputs || !outputs->is_array()) return Value("swaymsg gave no array");
  for (const Value& output : *outputs->if_array()) {
    const Value* found = output.find("name");
    if (found != nullptr && *found == Value(name)) return output;
  }
  return Value("swaymsg knows no such output");
}

// --- life and death ---

struct Kind {
  std::string name;
  std::string version;
  std::string version_source;
  std::string driver;
  std::string global;
  std::string output;
  std::string display;
  agent::ProcessEnd end;  // when it is asked to end
  std::string end_text;
};

class EveryCompositor : public ::testing::TestWithParam<Kind> {
 protected:
  CompositorProcess make() {
    if (GetParam().name == "sway") return CompositorProcess::sway(dir_);
    if (GetParam().name == "phoc") return CompositorProcess::phoc(dir_);
    if (GetParam().name == "cage") return CompositorProcess::cage(dir_);
    if (GetParam().name == "mutter") {
      bus_.emplace(CompositorProcess::session_bus(dir_)).start();
      EXPECT_TRUE(bus_->wait_until_listening("bus"));
      return CompositorProcess::mutter(dir_);
    }
    return CompositorProcess::weston(dir_);
  }
  RuntimeDir dir_;
  std::optional<CompositorProcess> bus_;
};

INSTANTIATE_TEST_SUITE_P(Drivers, EveryCompositor,
                         ::testing::Values(Kind{"sway",
                                                "1.7",
                                                "ipc",
                                                "sway",
                                                "zwlr_screencopy_manager_v1",
                                                "HEADLESS-1",
                                                "wayland-1",
                                                {0, std::nullopt},
                                                "exited with code 0"},
                                           Kind{"weston",
                                                "10.0.1",
                                                "executable",
                                                "wayland",
                                                "weston_desktop_shell",
                                                "headless",
                                                "wayland-1",
                                                {0, std::nullopt},
                                                "exited with code 0"},
                                           Kind{"phoc",
                                                "0.24.0",
                                                "executable",
                                                "wayland",
                                                "phosh_private",
                                                "HEADLESS-1",
                                                "wayland-0",
                                                {std::nullopt, SIGTERM},
                                                "killed by signal 15 (SIGTERM), as phoc ends when it is asked to"},
                                           Kind{"cage",
                                                "0.1.4",
                                                "executable",
                                                "wayland",
                                                "zwlr_screencopy_manager_v1",
                                                "HEADLESS-1",
                                                "wayland-0",
                                                {std::nullopt, SIGABRT},
                                                "killed by signal 6 (SIGABRT), as cage ends when it is asked to"},
                                           Kind{"mutter",
                                                "43.8",
                                                "executable",
                                                "wayland",
                                                "gtk_shell1",
                                                "Meta-0",
                                                "wayland-0",
                                                {0, std::nullopt},
                                                "exited with code 0"}),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(EveryCompositor, IsDescribedOnceItAnswers) {
  CompositorProcess compositor = make();
  DriverLoop loop(in(dir_));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  // On a busy machine it is described before its executable has told its version.
  ASSERT_TRUE(loop.run_until([&] { return !loop.last<Described>()->manifest.version.empty(); })) << loop.log_text();
  const msg::Manifest& manifest = loop.last<Described>()->manifest;
  EXPECT_EQ(manifest.name, GetParam().name);
  EXPECT_EQ(manifest.version, GetParam().version);
  EXPECT_EQ(manifest.version_source, GetParam().version_source);
  EXPECT_EQ(manifest.driver, GetParam().driver);
  EXPECT_EQ(manifest.display, GetParam().display);
  EXPECT_EQ(manifest.pid, static_cast<std::uint64_t>(compositor.pid()));
  EXPECT_EQ(manifest.executable, "/usr/bin/" + GetParam().name);
  EXPECT_THAT(manifest.protocols, Contains(Field(&msg::Protocol::name, GetParam().global)));
  const msg::Output* output = find_output(manifest, GetParam().output);
  ASSERT_NE(output, nullptr) << msg::encode_json(msg::to_value(manifest), 1);
  ASSERT_TRUE(output->current_mode);
  EXPECT_EQ(output->current_mode->width_px, 1280U);
  EXPECT_EQ(output->current_mode->height_px, 720U);
  EXPECT_EQ(output->current_mode->refresh_mhz, 60000U);
  EXPECT_EQ(output->scale, 1.0);
  ASSERT_TRUE(loop.run_until([&] { return loop.count<OutputsChanged>() > 0; }));
  EXPECT_THAT(loop.last<OutputsChanged>()->outputs, Contains(Pair(GetParam().output, msg::OutputState::kOn)));
  test::record_seen(loop, "up");
}

TEST_P(EveryCompositor, RefusesWhatItCanNotDoWithTheManifestsReason) {
  CompositorProcess compositor = make();
  DriverLoop loop(in(dir_));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  // Mutter's depend on PipeWire: mutter_screenshot_test.
  const bool elsewhere = GetParam().name == "mutter";
  test::expect_and_record_refusals(loop, GetParam().output, elsewhere ? "screenshot" : "");
}

TEST_P(EveryCompositor, AnswersProbesUnlessItIsStopped) {
  CompositorProcess compositor = make();
  DriverLoop loop(in(dir_));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  EXPECT_TRUE(loop.probe(seconds(5)));

  compositor.signal(SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(compositor.pid(), &status, WUNTRACED), compositor.pid());
  const std::size_t before = loop.services;
  EXPECT_FALSE(loop.probe(milliseconds(700)));
  EXPECT_LT(loop.services - before, 50U) << "the driver spins while the compositor is stopped";
  loop.driver->look_at_process(loop.out);
  ASSERT_NE(loop.last<CauseSeen>(), nullptr);
  EXPECT_TRUE(loop.last<CauseSeen>()->stopped);
  EXPECT_EQ(loop.last<CauseSeen>()->cause, "stopped");

  compositor.signal(SIGCONT);
  EXPECT_TRUE(loop.run_until([&] { return loop.count<agent::driver_event::ProbeAnswered>() == 2; }));
  loop.driver->look_at_process(loop.out);
  EXPECT_FALSE(loop.last<CauseSeen>()->stopped);
  EXPECT_TRUE(loop.probe(seconds(5)));
  test::record_seen(loop, "frozen");
}

TEST_P(EveryCompositor, IsGoneWithTheSignalThatKilledIt) {
  CompositorProcess compositor = make();
  DriverLoop loop(in(dir_));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  compositor.signal(SIGKILL);  // it stays a zombie: nobody reaps it before the driver has looked
  ASSERT_TRUE(loop.run_until([&] { return loop.count<Gone>() > 0; }));
  EXPECT_EQ(loop.last<Gone>()->end.signal, 9);
  EXPECT_FALSE(loop.last<Gone>()->end.code);
  EXPECT_EQ(loop.last<Gone>()->text, "killed by signal 9 (SIGKILL)");
  test::record_seen(loop, "killed");
}

TEST_P(EveryCompositor, IsGoneAsItEndsWhenItIsAskedTo) {
  CompositorProcess compositor = make();
  DriverLoop loop(in(dir_));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  compositor.signal(SIGTERM);
  const auto status = compositor.reap();  // this time it is reaped before the driver looks: only the pidfd knows
  ASSERT_TRUE(status);
  ASSERT_TRUE(loop.run_until([&] { return loop.count<Gone>() > 0; }));
  EXPECT_EQ(loop.last<Gone>()->end.code, GetParam().end.code);
  EXPECT_EQ(loop.last<Gone>()->end.signal, GetParam().end.signal);
  EXPECT_EQ(loop.last<Gone>()->text, GetParam().end_text);
  EXPECT_EQ(loop.last<Gone>()->as_when_asked, GetParam().end.code != 0) << "what ends with code 0 needs no excuse";
  test::record_seen(loop, "ended");
}

TEST_P(EveryCompositor, IsSeenAgainSoonAfterARestart) {
  CompositorProcess compositor = make();
  DriverLoop loop(in(dir_));
  compositor.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  compositor.signal(SIGKILL);
  ASSERT_TRUE(loop.run_until([&] { return loop.count<Gone>() > 0; }));
  compositor.reap();
  ASSERT_TRUE(loop.run_until([&] { return loop.logged("display.stale"); })) << loop.log_text();
  compositor.start();
  const Instant started_at = monotonic_now();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text() << compositor.printed();
  RecordProperty("ms_from_start_to_described", static_cast<int>(to_ms(monotonic_now() - started_at)));
  EXPECT_EQ(loop.last<Described>()->manifest.pid, static_cast<std::uint64_t>(compositor.pid()));
  EXPECT_EQ(loop.last<Described>()->manifest.version, GetParam().version);
  test::record_seen(loop, "back");
}

// --- finding the display ---

TEST(DisplayWatchIntegration, NamesSeveralDisplaysAndWaitsForOneToBeLeft) {
  RuntimeDir dir;
  CompositorProcess first = CompositorProcess::weston(dir, "wayland-1");
  CompositorProcess second = CompositorProcess::weston(dir, "wayland-7");
  first.start();
  second.start();
  ASSERT_TRUE(first.wait_until_listening("wayland-1"));
  ASSERT_TRUE(second.wait_until_listening("wayland-7"));
  DriverLoop loop(in(dir));
  ASSERT_TRUE(loop.run_until([&] { return loop.logged("display.ambiguous"); }));
  EXPECT_THAT(loop.log_text(), HasSubstr("displays=\"wayland-1 wayland-7\""));
  EXPECT_FALSE(loop.run_until([&] { return loop.driver != nullptr; }, milliseconds(1500)));
  second.signal(SIGTERM);
  ASSERT_TRUE(second.reap());
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  EXPECT_EQ(loop.last<Described>()->manifest.display, "wayland-1");
}

TEST(DisplayWatchIntegration, TakesTheDisplayItWasToldAmongSeveral) {
  RuntimeDir dir;
  CompositorProcess first = CompositorProcess::weston(dir, "wayland-1");
  CompositorProcess second = CompositorProcess::weston(dir, "wayland-7");
  first.start();
  second.start();
  DriverLoop loop(in(dir, dir.path() + "/wayland-7"));
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  EXPECT_EQ(loop.last<Described>()->manifest.display, "wayland-7");
  EXPECT_EQ(loop.last<Described>()->manifest.pid, static_cast<std::uint64_t>(second.pid()));
}

TEST(DisplayWatchIntegration, WaitsForADirectoryThatIsNotThereYet) {
  RuntimeDir dir;
  CompositorProcess weston = CompositorProcess::weston(dir, "wayland-1");
  const std::string later = dir.path() + "-later";
  DriverLoop loop(agent::DisplaySettings{later, "wayland-1", {}});
  ASSERT_TRUE(loop.run_until([&] { return loop.logged("display.waiting"); }));
  weston.start();
  ASSERT_TRUE(weston.wait_until_listening());
  EXPECT_EQ(loop.driver, nullptr);
  ASSERT_EQ(::symlink(dir.path().c_str(), later.c_str()), 0);
  const bool described = loop.wait_for_described();
  std::filesystem::remove(later);
  ASSERT_TRUE(described) << loop.log_text();
}

// --- what sway can be told ---

class SwayCommands : public ::testing::Test {
 protected:
  SwayCommands() : sway_(CompositorProcess::sway(dir_, 2)), loop_(in(dir_)) {}
  void SetUp() override {
    sway_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  }
  RuntimeDir dir_;
  CompositorProcess sway_;
  DriverLoop loop_;
};

TEST_F(SwayCommands, AreAnnounced) {
  const auto& commands = loop_.last<Described>()->manifest.commands;
  for (const char* name : {"output.mode", "output.scale", "output.position", "output.transform"}) {
    EXPECT_THAT(commands,
                Contains(AllOf(Field(&msg::CommandSupport::name, name), Field(&msg::CommandSupport::supported, true))));
  }
}

TEST_F(SwayCommands, SetAMode) {
  const auto done =
      loop_.run("output.mode", Value::map({{"output", "HEADLESS-1"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(*done.result.find("before"), "current_mode", "width_px"), Value(1280));
  EXPECT_EQ(field(*done.result.find("after"), "current_mode", "width_px"), Value(800));
  const Value seen = swaymsg_output(sway_, "HEADLESS-1");
  EXPECT_EQ(field(seen, "current_mode", "width"), Value(800)) << msg::encode_json(seen);
  EXPECT_EQ(field(seen, "current_mode", "height"), Value(600));
  // The manifest follows.
  EXPECT_TRUE(loop_.run_until([&] {
    const msg::Output* output = find_output(loop_.last<Described>()->manifest, "HEADLESS-1");
    return output != nullptr && output->current_mode && output->current_mode->width_px == 800;
  }));
  test::record_command(loop_, "output.mode", done);
}

TEST_F(SwayCommands, SetAModeWithItsRefreshRate) {
  const auto done =
      loop_.run("output.mode",
                Value::map({{"output", "HEADLESS-2"}, {"width_px", 1024}, {"height_px", 768}, {"refresh_mhz", 59951}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-2"), "current_mode", "refresh"), Value(59951));
}

TEST_F(SwayCommands, ChangeSeveralOutputs) {
  const auto done =
      loop_.run("output.configure",
                test::configure(
                    {Value::map({{"output", "HEADLESS-1"}, {"width_px", 800}, {"height_px", 600}, {"x", 0}, {"y", 0}}),
                     Value::map({{"output", "HEADLESS-2"}, {"scale", 2}, {"x", 800}, {"y", 0}})}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "current_mode", "width"), Value(800));
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-2"), "scale"), Value(2.0));
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-2"), "rect", "x"), Value(800));
  test::record_command(loop_, "output.configure", done);
  const auto unknown =
      loop_.run("output.configure", test::configure({Value::map({{"output", "HEADLESS-1"}, {"scale", 3}}),
                                                     Value::map({{"output", "NOPE-1"}, {"scale", 3}})}));
  EXPECT_EQ(unknown.status, Status::kNotFound) << as_text(unknown);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "scale"), Value(1.0)) << "nothing of it is done";
}

TEST_F(SwayCommands, ChangeSeveralOutputsOrNone) {
  // HEADLESS-2 lies where sway has put it, beside HEADLESS-1. sway 1.7 says success to switching a headless output off, and
  // does not do it.
  const Value first = swaymsg_output(sway_, "HEADLESS-1");
  const Value second = swaymsg_output(sway_, "HEADLESS-2");
  const auto lied =
      loop_.run("output.configure", test::configure({Value::map({{"output", "HEADLESS-1"},
                                                                 {"width_px", 800},
                                                                 {"height_px", 600},
                                                                 {"scale", 2},
                                                                 {"transform", "90"},
                                                                 {"x", 40},
                                                                 {"y", 30}}),
                                                     Value::map({{"output", "HEADLESS-2"}, {"enabled", false}})}));
  EXPECT_EQ(lied.status, Status::kFailed) << as_text(lied);
  EXPECT_EQ(lied.error, "sway said success and did not do it; all outputs are as they were before");
  EXPECT_EQ(*lied.result.find("after"), *lied.result.find("before")) << as_text(lied);
  for (const char* key : {"current_mode", "scale", "transform", "rect"}) {
    EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), key), field(first, key)) << key;
    EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-2"), key), field(second, key)) << key;
  }
  // sway keeps no wish that would spoil the next one.
  const auto done =
      loop_.run("output.configure", test::configure({Value::map({{"output", "HEADLESS-2"}, {"scale", 2}})}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

TEST_F(SwayCommands, TakeBackWhatWasDoneBeforeAModeThatIsNone) {
  const auto lied =
      loop_.run("output.configure", test::configure({Value::map({{"output", "HEADLESS-1"}, {"scale", 3}}),
                                                     Value::map({{"output", "HEADLESS-2"},
                                                                 {"width_px", 640},
                                                                 {"height_px", 480},
                                                                 {"refresh_mhz", std::uint64_t{4'000'000'000}}})}));
  EXPECT_EQ(lied.status, Status::kFailed) << as_text(lied);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "scale"), Value(1.0)) << as_text(lied);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-2"), "current_mode", "width"), Value(1280)) << as_text(lied);
}

TEST_F(SwayCommands, SetAFractionalScale) {
  const auto done = loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 1.5}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(*done.result.find("after"), "scale"), Value(1.5));
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "scale"), Value(1.5));
  EXPECT_TRUE(
      loop_.run_until([&] { return find_output(loop_.last<Described>()->manifest, "HEADLESS-1")->scale == 1.5; }));
  test::record_command(loop_, "output.scale", done);
}

TEST_F(SwayCommands, SetAPosition) {
  const auto done = loop_.run("output.position", Value::map({{"output", "HEADLESS-2"}, {"x", 3000}, {"y", -40}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  const Value seen = swaymsg_output(sway_, "HEADLESS-2");
  EXPECT_EQ(field(seen, "rect", "x"), Value(3000)) << msg::encode_json(seen);
  EXPECT_EQ(field(seen, "rect", "y"), Value(-40));
  test::record_command(loop_, "output.position", done);
}

TEST_F(SwayCommands, SetATransformAsWaylandMeansIt) {
  const auto done = loop_.run("output.transform", Value::map({{"output", "HEADLESS-1"}, {"transform", "90"}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(*done.result.find("after"), "transform"), Value("90"));
  EXPECT_THAT(test::wayland_info(dir_, "wayland-1"), HasSubstr("output_transform: 90"));
  // sway itself counts clockwise.
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "transform"), Value("270"));
  test::record_command(loop_, "output.transform", done);
}

TEST_F(SwayCommands, NameTheOutputsThatAreThere) {
  const auto refused =
      loop_.run("output.mode", Value::map({{"output", "NOPE-1"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(refused.status, Status::kNotFound) << as_text(refused);
  EXPECT_THAT(refused.error, AllOf(HasSubstr("NOPE-1"), HasSubstr("HEADLESS-1, HEADLESS-2")));
}

TEST_F(SwayCommands, RefuseSizesThatNothingCanDraw) {
  const auto refused =
      loop_.run("output.mode", Value::map({{"output", "HEADLESS-1"}, {"width_px", 99999}, {"height_px", 99999}}));
  EXPECT_EQ(refused.status, Status::kMalformed) << as_text(refused);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "current_mode", "width"), Value(1280));
}

TEST_F(SwayCommands, DoNotBelieveASuccessThatIsNone) {
  // sway 1.7 answers success:true to a refresh rate that overflows its arithmetic, and sets another one.
  const auto lied = loop_.run("output.mode", Value::map({{"output", "HEADLESS-1"},
                                                         {"width_px", 640},
                                                         {"height_px", 480},
                                                         {"refresh_mhz", std::uint64_t{4'000'000'000}}}));
  EXPECT_EQ(lied.status, Status::kFailed) << as_text(lied);
  EXPECT_EQ(lied.error, "sway said success and did not do it");
  EXPECT_EQ(field(*lied.result.find("before"), "current_mode", "width_px"), Value(1280));
  ASSERT_NE(lied.result.find("after"), nullptr);
  EXPECT_EQ(field(*lied.result.find("after"), "current_mode", "refresh_mhz"),
            field(swaymsg_output(sway_, "HEADLESS-1"), "current_mode", "refresh"));
}

TEST_F(SwayCommands, DoNotBelieveThatAHeadlessOutputIsSwitchedOff) {
  for (const auto& [method, on] : {std::pair{"output.disable", false}, {"output.power", true}}) {
    Value params = Value::map({{"output", "HEADLESS-1"}});
    if (on) params.set("on", Value(false));
    const auto lied = loop_.run(method, params);
    EXPECT_EQ(lied.status, Status::kFailed) << method << " " << as_text(lied);
    EXPECT_EQ(lied.error, "sway said success and did not do it");
    EXPECT_EQ(field(*lied.result.find("after"), "current_mode", "width_px"), Value(1280));
    test::record_command(loop_, method, lied);
  }
  // sway keeps the wish that it could not fulfil; what is asked for next must not suffer from it.
  const auto done = loop_.run("output.enable", Value::map({{"output", "HEADLESS-1"}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  const auto mode =
      loop_.run("output.mode", Value::map({{"output", "HEADLESS-1"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(mode.status, Status::kDone) << as_text(mode);
}

TEST_F(SwayCommands, EndByTheirDeadlineWhenSwayIsStopped) {
  sway_.signal(SIGSTOP);
  const Instant begun = monotonic_now();
  const auto late = loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_LT(monotonic_now() - begun, seconds(5));
  sway_.signal(SIGCONT);
  // The late reply belongs to nobody, and the next command is not confused by it.
  const auto done = loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 3}}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
  EXPECT_EQ(field(swaymsg_output(sway_, "HEADLESS-1"), "scale"), Value(3.0));
}

TEST_F(SwayCommands, EndWhenSwayDiesUnderThem) {
  sway_.signal(SIGSTOP);
  const Instant now = monotonic_now();
  loop_.driver->execute(77, "output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}), now,
                        now + seconds(20), loop_.out);
  sway_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  ASSERT_EQ(loop_.count<CommandFinished>(), 1U);
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kGone);
  EXPECT_TRUE(std::holds_alternative<Gone>(loop_.out.events.back())) << "Gone is the last event of a driver";
}

TEST_F(SwayCommands, AnAddedOutputIsSeen) {
  output_of("swaymsg -s " + sway_.ipc_socket() + " create_output");
  EXPECT_TRUE(loop_.run_until([&] {
    const auto* states = loop_.last<OutputsChanged>();
    return states != nullptr && states->outputs.size() == 3 &&
           find_output(loop_.last<Described>()->manifest, "HEADLESS-3") != nullptr;
  }));
  const msg::Output* added = find_output(loop_.last<Described>()->manifest, "HEADLESS-3");
  ASSERT_NE(added, nullptr);
  EXPECT_TRUE(added->modes.empty());
  ASSERT_TRUE(added->current_mode);
  EXPECT_EQ(added->current_mode->width_px, 1920U);
}

TEST_F(SwayCommands, AreNotOfferedWhenTheIpcIsNotThere) {
  sway_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  sway_.reap();
  sway_.start();
  ASSERT_TRUE(sway_.wait_until_listening());
  // Someone took its IPC socket's name away. sway makes it right after its Wayland socket.
  const Instant end = monotonic_now() + seconds(5);
  while (::unlink(sway_.ipc_socket().c_str()) != 0 && monotonic_now() < end) continue;
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  const msg::Manifest& manifest = loop_.last<Described>()->manifest;
  EXPECT_TRUE(loop_.logged("ipc.failed"));
  EXPECT_EQ(manifest.name, "sway");
  EXPECT_EQ(manifest.driver, "wayland");
  EXPECT_EQ(manifest.version, "1.7");
  EXPECT_EQ(manifest.version_source, "executable");
  EXPECT_EQ(manifest.outputs.size(), 2U);
  EXPECT_FALSE(manifest.commands.front().supported);
  const auto refused = loop_.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}));
  EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
}

// --- what weston can't be told ---

TEST(WestonCommands, AreRefusedWithTheReason) {
  RuntimeDir dir;
  CompositorProcess weston = CompositorProcess::weston(dir);
  DriverLoop loop(in(dir));
  weston.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  const auto refused =
      loop.run("output.mode", Value::map({{"output", "headless"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(refused.status, Status::kUnsupported);
  EXPECT_EQ(refused.error, "weston offers no protocol to change an output; restart it with another weston.ini");
  EXPECT_EQ(loop.run("output.paint", Value::map()).status, Status::kNotFound);
  EXPECT_THAT(
      loop.last<Described>()->manifest.commands,
      Contains(AllOf(Field(&msg::CommandSupport::name, "output.mode"), Field(&msg::CommandSupport::supported, false),
                     Field(&msg::CommandSupport::reason, refused.error))));
}

TEST(SwayOutputs, AreAddedWithWhatIsAskedOfThem) {
  const RuntimeDir dir;
  CompositorProcess sway = CompositorProcess::sway(dir);
  DriverLoop loop(in(dir));
  sway.start();
  ASSERT_TRUE(loop.wait_for_described()) << loop.log_text();
  const Value wanted = Value::map({{"width_px", 800}, {"height_px", 600}, {"scale", 2}, {"x", 3000}, {"y", 100}});
  const CommandFinished added = loop.run("output.add", wanted);
  ASSERT_EQ(added.status, Status::kDone) << as_text(added);
  EXPECT_EQ(field(added.result, "after", "name"), Value("HEADLESS-2"));
  EXPECT_EQ(field(added.result, "before"), Value("missing"));
  const Value seen = swaymsg_output(sway, "HEADLESS-2");
  EXPECT_EQ(field(seen, "current_mode", "width"), Value(800)) << msg::encode_json(seen);
  EXPECT_EQ(field(seen, "scale"), Value(2.0));
  EXPECT_EQ(field(seen, "rect", "x"), Value(3000));
  EXPECT_TRUE(loop.run_until([&] { return find_output(loop.last<Described>()->manifest, "HEADLESS-2") != nullptr; }))
      << "it is not in the manifest";
  test::record_command(loop, "output.add", added);
  const CommandFinished plain = loop.run("output.add", Value::map());
  EXPECT_EQ(field(plain.result, "after", "name"), Value("HEADLESS-3")) << as_text(plain);

  for (const auto& [key, value] : std::vector<std::pair<std::string, Value>>{{"output", "HEADLESS-9"},
                                                                             {"enabled", true},
                                                                             {"transform", "90"},
                                                                             {"scale", 99},
                                                                             {"width_px", 640},
                                                                             {"x", 1}}) {
    EXPECT_EQ(loop.run("output.add", Value::map({{key, value}})).status, Status::kMalformed) << key;
  }
  EXPECT_EQ(swaymsg_output(sway, "HEADLESS-4"), Value("swaymsg knows no such output")) << "made for nothing";
}

}  // namespace
}  // namespace compositord
