// The drivers for compositors that can't run here, against a program that speaks their documented IPC and real Wayland:
// tests/support/scripted. What it does when it is asked is set by a word in a file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "agent/driver.h"
#include "common/base/clock.h"
#include "tests/support/compositor_process.h"
#include "tests/support/driver_loop.h"

namespace compositord {
namespace {

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
using test::on_output;
using test::RuntimeDir;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

struct Kind {
  std::string executable;
  std::string driver;
  std::string version;
  std::string refusal;
  friend std::ostream& operator<<(std::ostream& to, const Kind& kind) { return to << kind.executable; }
};

class Scripted : public ::testing::TestWithParam<Kind> {
 protected:
  Scripted() : compositor_(make()), loop_(agent::DisplaySettings{dir_.path(), {}, {}}) {}

  CompositorProcess make() {
    const std::string copy = dir_.path() + "/" + GetParam().executable;
    std::filesystem::copy_file(SCRIPTED_COMPOSITOR, copy);
    return {dir_, {copy, "wayland-1"}, {}};
  }
  void behave(const std::string& word) { std::ofstream(dir_.path() + "/behaviour") << word; }
  void begin() {
    compositor_.start();
    ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text() << compositor_.printed();
  }
  const msg::Manifest& manifest() const { return loop_.last<Described>()->manifest; }
  std::string requests() const {
    std::ostringstream text;
    text << std::ifstream(dir_.path() + "/requests").rdbuf();
    return text.str();
  }
  CommandFinished set_scale(double scale, milliseconds deadline = seconds(5)) {
    return loop_.run("output.scale", Value::map({{"output", "DP-1"}, {"scale", scale}}), deadline);
  }
  bool wait_for_state(const std::string& output, msg::OutputState state) {
    return loop_.run_until([&] {
      const auto* changed = loop_.last<OutputsChanged>();
      if (changed == nullptr) return false;
      for (const auto& [name, seen] : changed->outputs) {
        if (name == output && seen == state) return true;
      }
      return false;
    });
  }

  RuntimeDir dir_;
  CompositorProcess compositor_;
  DriverLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(
    Ipc, Scripted,
    ::testing::Values(Kind{"Hyprland", "hyprland", "0.45.2",
                           "Hyprland refused: keyword can't work with non-legacy parsers. Use eval."},
                      Kind{"niri", "niri", "25.11", "niri refused: the output is in use"}),
    [](const auto& kind) { return kind.param.executable; });

TEST_P(Scripted, IsDescribedByWaylandAndItsIpc) {
  begin();
  EXPECT_EQ(manifest().name, GetParam().executable);
  EXPECT_EQ(manifest().driver, GetParam().driver);
  EXPECT_EQ(manifest().version, GetParam().version);
  EXPECT_EQ(manifest().version_source, "ipc");
  EXPECT_EQ(manifest().pid, static_cast<std::uint64_t>(compositor_.pid()));
  const msg::Output* output = find_output(manifest(), "DP-1");
  ASSERT_NE(output, nullptr);
  EXPECT_EQ(output->modes.size(), 3U) << "wl_output of this version tells only the present one";
  ASSERT_TRUE(output->current_mode);
  EXPECT_EQ(output->current_mode->width_px, 1920U);
  EXPECT_EQ(output->make, "ACME");
  const bool is_niri = GetParam().executable == "niri";
  for (const msg::CommandSupport& command : manifest().commands) {
    if (!command.name.starts_with("output.") || command.name == "output.add") continue;
    const bool expected = !(is_niri && command.name == "output.power");
    EXPECT_EQ(command.supported, expected) << command.name;
    EXPECT_EQ(command.reason.empty(), expected) << command.name;
  }
  if (!is_niri) {
    EXPECT_THAT(manifest().inputs, Contains(Field(&msg::InputDevice::name, "acme-mouse")));
  }
  EXPECT_TRUE(loop_.probe(seconds(5)));
}

TEST_P(Scripted, IsAskedByItsOwnInstanceAmongOthers) {
  // A newer instance that isn't this one, and one whose socket belongs to us.
  for (const char* name : {"zzz_newest", "000_first"}) {
    const std::string folder = dir_.path() + "/hypr/" + name;
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "/hyprland.lock") << ::getpid() << "\nwayland-1\n";
  }
  std::filesystem::permissions(dir_.path() + "/hypr", std::filesystem::perms::all);
  begin();
  EXPECT_EQ(manifest().version, GetParam().version) << loop_.log_text();
}

TEST_P(Scripted, DoesWhatItIsTold) {
  begin();
  const auto mode = loop_.run("output.mode", Value::map({{"output", "DP-1"}, {"width_px", 1280}, {"height_px", 720}}));
  EXPECT_EQ(mode.status, Status::kDone) << as_text(mode) << requests();
  EXPECT_EQ(field(*mode.result.find("before"), "current_mode", "width_px"), Value(1920));
  EXPECT_EQ(field(*mode.result.find("after"), "current_mode", "width_px"), Value(1280));
  const auto exact = loop_.run(
      "output.mode", Value::map({{"output", "DP-1"}, {"width_px", 1920}, {"height_px", 1080}, {"refresh_mhz", 59951}}));
  EXPECT_EQ(exact.status, Status::kDone) << as_text(exact) << requests();
  const auto scale = set_scale(1.25);
  EXPECT_EQ(scale.status, Status::kDone) << as_text(scale) << requests();
  const auto place = loop_.run("output.position", Value::map({{"output", "DP-1"}, {"x", -2000}, {"y", 30}}));
  EXPECT_EQ(place.status, Status::kDone) << as_text(place) << requests();
  const auto turn = loop_.run("output.transform", Value::map({{"output", "DP-1"}, {"transform", "flipped-90"}}));
  EXPECT_EQ(turn.status, Status::kDone) << as_text(turn) << requests();
  // One change has not undone another, and Wayland shows it.
  EXPECT_TRUE(loop_.run_until([&] {
    const msg::Output* o = find_output(manifest(), "DP-1");
    return o != nullptr && o->transform == msg::Transform::kFlipped90 && o->x == -2000 && o->scale == 1.25 &&
           o->current_mode && o->current_mode->refresh_mhz == 59951;
  })) << msg::encode_json(msg::to_value(manifest()), 1);
}

TEST_P(Scripted, IsToldSeveralWishesOneAfterTheOther) {
  begin();
  const Value first = Value::map({{"output", "DP-1"}, {"scale", 1.25}, {"x", 10}, {"y", 20}});
  const Value second = Value::map({{"output", "HDMI-A-1"}, {"enabled", false}});
  const auto done = loop_.run("output.configure", test::configure({first, second}));
  EXPECT_EQ(done.status, Status::kDone) << as_text(done) << requests();
  const auto& after = *done.result.find("after")->if_array();
  ASSERT_EQ(after.size(), 2U) << as_text(done);
  EXPECT_EQ(field(after[0], "scale"), Value(1.25));
  EXPECT_EQ(field(after[0], "y"), Value(20));
  EXPECT_EQ(field(after[1], "current_mode"), Value("missing"));
  const auto unknown =
      loop_.run("output.configure", test::configure({first, Value::map({{"output", "X"}, {"scale", 2}})}));
  EXPECT_EQ(unknown.status, Status::kNotFound) << as_text(unknown);
}

TEST_P(Scripted, IsToldToTakeBackWhatItDidBeforeItRefused) {
  begin();
  std::ofstream(dir_.path() + "/behaviour") << "half_wall";
  const auto refused = loop_.run(
      "output.configure",
      test::configure({Value::map({{"output", "DP-1"}, {"width_px", 1280}, {"height_px", 720}, {"scale", 1.25}}),
                       Value::map({{"output", "HDMI-A-1"}, {"x", 10}, {"y", 20}})}));
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_EQ(refused.error, GetParam().refusal + "; all outputs are as they were before") << requests();
  EXPECT_EQ(*refused.result.find("after"), *refused.result.find("before")) << as_text(refused);
}

TEST_P(Scripted, ReloadsAndTellsWhatCameOfIt) {
  begin();
  const bool is_niri = GetParam().executable == "niri";
  const auto done = loop_.run("reload", Value());
  EXPECT_EQ(done.status, Status::kDone) << as_text(done) << requests();
  EXPECT_EQ(field(done.result, "done"), Value(is_niri ? "niri has reloaded, and told so by its event"
                                                      : "Hyprland has reloaded, and complains of nothing"));
  EXPECT_EQ(field(done.result, "checked"), Value(false));
  std::ofstream(dir_.path() + "/behaviour") << "bad_config";
  const auto bad = loop_.run("reload", Value());
  EXPECT_EQ(bad.status, Status::kFailed) << as_text(bad) << requests();
  EXPECT_EQ(bad.error, is_niri ? "niri finds its configuration bad, and goes on with what it had"
                               : "Hyprland has reloaded, and complains: Config error in file hyprland.conf at line 3: "
                                 "config option <nonsense> does not exist.");
  std::ofstream(dir_.path() + "/behaviour") << "refuses";
  const auto refused = loop_.run("reload", Value());
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr(GetParam().executable + " refused to reload: "));
  std::ofstream(dir_.path() + "/behaviour") << "lies";
  const auto lied = loop_.run("reload", Value());
  EXPECT_EQ(lied.status, Status::kFailed) << as_text(lied);
  EXPECT_EQ(lied.error, GetParam().executable + " accepted it and did not tell that it has reloaded");
  std::ofstream(dir_.path() + "/behaviour") << "silent";
  const auto late = loop_.run("reload", Value(), milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
}

TEST_P(Scripted, IsSwitchedOffAndOnAgain) {
  begin();
  const auto off = loop_.run("output.disable", on_output("DP-1"));
  EXPECT_EQ(off.status, Status::kDone) << as_text(off) << requests();
  EXPECT_EQ(field(*off.result.find("after"), "current_mode"), Value("missing"));
  EXPECT_TRUE(wait_for_state("DP-1", msg::OutputState::kOff)) << "it is off, not unplugged";
  EXPECT_NE(find_output(manifest(), "DP-1"), nullptr);
  const auto on = loop_.run("output.enable", on_output("DP-1"));
  EXPECT_EQ(on.status, Status::kDone) << as_text(on) << requests();
  EXPECT_TRUE(wait_for_state("DP-1", msg::OutputState::kOn));
}

TEST_P(Scripted, PutsAMonitorToSleepOrSaysWhyNot) {
  begin();
  const auto off = loop_.run("output.power", Value::map({{"output", "DP-1"}, {"on", false}}));
  if (GetParam().executable == "niri") {
    EXPECT_EQ(off.status, Status::kUnsupported) << as_text(off);
    EXPECT_THAT(off.error, HasSubstr("all monitors to sleep or none"));
    return;
  }
  EXPECT_EQ(off.status, Status::kDone) << as_text(off);
  EXPECT_EQ(field(*off.result.find("after"), "powered"), Value(false));
  EXPECT_TRUE(wait_for_state("DP-1", msg::OutputState::kOff));
}

TEST_P(Scripted, IsNotBelievedWhenItLies) {
  begin();
  behave("lies");
  const auto lied = set_scale(2);
  EXPECT_EQ(lied.status, Status::kFailed) << as_text(lied);
  EXPECT_EQ(lied.error, GetParam().executable + " said success and did not do it");
  EXPECT_EQ(field(*lied.result.find("before"), "scale"), Value(1.0));
  EXPECT_EQ(field(*lied.result.find("after"), "scale"), Value(1.0));
  const auto off = loop_.run("output.disable", on_output("HDMI-A-1"));
  EXPECT_EQ(off.status, Status::kFailed) << as_text(off);
  behave("");
  EXPECT_EQ(set_scale(2).status, Status::kDone) << "one lie does not spoil what follows";
}

TEST_P(Scripted, AddsAnOutputWhereItCan) {
  begin();
  const Value wanted = Value::map({{"width_px", 1280}, {"height_px", 720}, {"scale", 2}});
  const auto added = loop_.run("output.add", wanted);
  if (GetParam().executable == "niri") {
    EXPECT_EQ(added.status, Status::kUnsupported) << as_text(added);
    EXPECT_THAT(added.error, HasSubstr("niri offers no protocol"));
    return;
  }
  ASSERT_EQ(added.status, Status::kDone) << as_text(added);
  EXPECT_EQ(added.result.find("before"), nullptr) << "it was not there";
  EXPECT_EQ(field(*added.result.find("after"), "name"), Value("HEADLESS-2"));
  EXPECT_EQ(field(*added.result.find("after"), "scale"), Value(2.0));
  EXPECT_TRUE(loop_.run_until([&] { return find_output(manifest(), "HEADLESS-2") != nullptr; }));
  EXPECT_THAT(requests(), HasSubstr("/output create headless"));
  behave("lies");
  const auto lied = loop_.run("output.add", Value::map(), milliseconds(500));
  EXPECT_NE(lied.status, Status::kDone) << as_text(lied);
}

TEST_P(Scripted, IsQuotedWhenItRefuses) {
  begin();
  behave("refuses");
  const auto refused = set_scale(2);
  EXPECT_EQ(refused.status, Status::kFailed) << as_text(refused);
  EXPECT_EQ(refused.error, GetParam().refusal);
  EXPECT_EQ(field(*refused.result.find("after"), "scale"), Value(1.0));
}

TEST_P(Scripted, IsAskedForOutputsAndModesThatAreThere) {
  begin();
  const auto nobody = loop_.run("output.enable", on_output("NOPE-1"));
  EXPECT_EQ(nobody.status, Status::kNotFound) << as_text(nobody);
  EXPECT_THAT(nobody.error, HasSubstr("DP-1, HDMI-A-1"));
  const auto mode = loop_.run("output.mode", Value::map({{"output", "DP-1"}, {"width_px", 800}, {"height_px", 600}}));
  EXPECT_EQ(mode.status, Status::kNotFound) << as_text(mode);
  EXPECT_THAT(mode.error, HasSubstr("1280x720"));
}

TEST_P(Scripted, KeepsItsDeadlinesWhileTheIpcIsSilent) {
  begin();
  behave("silent");
  const Instant begun = monotonic_now();
  const auto late = set_scale(2, milliseconds(300));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  EXPECT_LT(monotonic_now() - begun, seconds(5));
  EXPECT_TRUE(loop_.probe(seconds(5))) << "Wayland goes on";
  const std::size_t before = loop_.services;
  EXPECT_FALSE(loop_.run_until([] { return false; }, milliseconds(300)));
  EXPECT_LT(loop_.services - before, 20U) << "the driver spins";
}

TEST_P(Scripted, EndsItsCommandsWhenItDies) {
  begin();
  behave("silent");
  const Instant now = monotonic_now();
  loop_.driver->execute(77, "output.scale", Value::map({{"output", "DP-1"}, {"scale", 2}}), now, now + seconds(20),
                        loop_.out);
  compositor_.signal(SIGKILL);
  ASSERT_TRUE(loop_.run_until([&] { return loop_.count<Gone>() > 0; }));
  ASSERT_EQ(loop_.count<CommandFinished>(), 1U);
  EXPECT_EQ(loop_.last<CommandFinished>()->status, Status::kGone);
  EXPECT_TRUE(std::holds_alternative<Gone>(loop_.out.events.back()));
}

TEST_P(Scripted, AnswersProbesOnlyWhileItRuns) {
  begin();
  compositor_.signal(SIGSTOP);
  EXPECT_FALSE(loop_.probe(milliseconds(400)));
  const auto late = set_scale(2, milliseconds(200));
  EXPECT_EQ(late.status, Status::kDeadline) << as_text(late);
  compositor_.signal(SIGCONT);
  EXPECT_TRUE(loop_.run_until([&] { return loop_.count<agent::driver_event::ProbeAnswered>() > 0; }));
  const auto done = set_scale(1.5);
  EXPECT_EQ(done.status, Status::kDone) << as_text(done);
}

// Each is one way of an IPC to be of no use; Wayland goes on, commands end, and the IPC is used again when it is well.
TEST_P(Scripted, LosesItsIpcToNonsenseAndGetsItBack) {
  begin();
  for (const char* word : {"garbage", "half", "huge", "closes"}) {
    behave(word);
    const auto failed = set_scale(2);
    EXPECT_THAT(to_number(failed.status), ::testing::AnyOf(500, 501)) << word << " " << as_text(failed);
    EXPECT_FALSE(failed.error.empty()) << word;
    EXPECT_TRUE(loop_.probe(seconds(5))) << word;
    behave("");
    EXPECT_TRUE(loop_.run_until(
        [&] {
          return find_output(manifest(), "DP-1") != nullptr && manifest().driver == GetParam().driver &&
                 set_scale(1.5).status == Status::kDone && set_scale(1).status == Status::kDone;
        },
        seconds(15)))
        << word << loop_.log_text();
  }
  EXPECT_EQ(loop_.count<Gone>(), 0U);
}

TEST_P(Scripted, LivesWithoutEvents) {
  begin();
  behave("bad_event");
  EXPECT_EQ(set_scale(2).status, Status::kDone);
  behave("");
  EXPECT_TRUE(loop_.run_until([&] { return loop_.logged("ipc.no_events"); })) << loop_.log_text();
  EXPECT_EQ(set_scale(1).status, Status::kDone) << loop_.log_text();
}

TEST_P(Scripted, LivesWithAnEventThatHasNoEnd) {
  begin();
  behave("huge_event");
  EXPECT_EQ(set_scale(2).status, Status::kDone);
  behave("");
  EXPECT_TRUE(loop_.run_until([&] { return loop_.logged("ipc.no_events"); })) << loop_.log_text();
  EXPECT_THAT(loop_.log_text(), HasSubstr("has more than 1048576 bytes"));
  EXPECT_EQ(set_scale(1).status, Status::kDone) << loop_.log_text();
}

TEST_P(Scripted, IsAnyWaylandCompositorWithoutItsIpc) {
  compositor_.start();
  ASSERT_TRUE(compositor_.wait_until_listening());
  std::filesystem::remove_all(dir_.path() + "/hypr");
  std::filesystem::remove(dir_.path() + "/niri.wayland-1." + std::to_string(compositor_.pid()) + ".sock");
  ASSERT_TRUE(loop_.wait_for_described()) << loop_.log_text();
  EXPECT_TRUE(loop_.logged("ipc.failed"));
  EXPECT_EQ(manifest().name, GetParam().executable);
  EXPECT_EQ(manifest().driver, "wayland");
  const auto refused = set_scale(2);
  EXPECT_EQ(refused.status, Status::kUnsupported) << as_text(refused);
  EXPECT_THAT(refused.error, HasSubstr("no " + GetParam().executable + " IPC: "));
}

// A real compositor with an honest wlr-output-management, under another one's name.
TEST(ScriptedNames, AreDrivenByTheWlrProtocolsWithoutTheirIpc) {
  for (const std::string name : {"Hyprland", "niri"}) {
    RuntimeDir dir;
    const std::string copy = dir.path() + "/" + name;
    std::filesystem::copy_file("/usr/bin/phoc", copy);
    std::ofstream(dir.path() + "/phoc.ini") << "[core]\nxwayland=false\n[output:HEADLESS-1]\nmode=1280x720\nscale=1\n";
    CompositorProcess phoc(dir, {copy, "-C", dir.path() + "/phoc.ini"},
                           {"WLR_BACKENDS=headless", "WLR_LIBINPUT_NO_DEVICES=1", "WLR_RENDERER=pixman"});
    DriverLoop loop(agent::DisplaySettings{dir.path(), {}, {}});
    phoc.start();
    ASSERT_TRUE(loop.wait_for_described()) << loop.log_text() << phoc.printed();
    EXPECT_TRUE(loop.logged("ipc.failed"));
    EXPECT_EQ(loop.last<Described>()->manifest.name, name);
    const auto done = loop.run("output.scale", Value::map({{"output", "HEADLESS-1"}, {"scale", 2}}));
    EXPECT_EQ(done.status, Status::kDone) << name << " " << as_text(done);
    EXPECT_EQ(field(*done.result.find("after"), "scale"), Value(2.0));
  }
}

}  // namespace
}  // namespace compositord
