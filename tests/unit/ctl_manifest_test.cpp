// Manifests and statuses as text: above all, that an old manifest never looks like a fresh one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "tools/compositorctl/alert_text.h"
#include "tools/compositorctl/manifest_text.h"
#include "tools/compositorctl/status_text.h"

namespace compositord::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::int64_t kNow = 1'700'000'000'000;

KnownManifest known() {
  KnownManifest known;
  known.freshness = {"wall-3/wayland-1", "connected", UnixMs{kNow}, UnixMs{kNow - 60'000}, 60'000, "abc", 7, true};
  known.manifest.name = "sway";
  known.manifest.version = "1.7";
  known.manifest.version_source = "ipc";
  known.manifest.display = "wayland-1";
  known.manifest.pid = 42;
  known.manifest.executable = "/usr/bin/sway";
  msg::Output output;
  output.name = "DP-1";
  output.make = "ACME\x1b[2J";
  output.current_mode = msg::Mode{1'920, 1'080, 60'000, true};
  output.modes = {*output.current_mode, {1'280, 720, 59'951, false}};
  output.scale = 1.5;
  output.x = -1'920;
  output.transform = msg::Transform::k90;
  known.manifest.outputs = {output, {}};
  known.manifest.outputs[1].name = "DP-2";
  known.manifest.commands = {{"output.mode", true, ""}, {"output.power", false, "no protocol for it"}};
  known.manifest.protocols = {{"wl_output", 4}};
  known.manifest.inputs = {{"seat0", "seat"}};
  return known;
}

msg::Status status() {
  msg::Status status;
  status.id = "wall-3/wayland-1";
  status.verdict = msg::Verdict::kOk;
  status.summary = "COMPOSITE_OK";
  status.since = UnixMs{kNow - 3'600'000};
  status.link = {msg::Link::kConnected, UnixMs{kNow - 3'600'000}, UnixMs{kNow - 200}};
  status.process.state = msg::Process::kRunning;
  status.process.since = UnixMs{kNow - 10'000'000};
  status.process.observed_at = UnixMs{kNow - 200};
  status.progress.state = msg::Progress::kOk;
  status.progress.round_trip_ms = 0.25;
  status.outputs = {{"DP-1", msg::OutputState::kOn, UnixMs{kNow}, UnixMs{kNow}},
                    {"DP-2", msg::OutputState::kOff, UnixMs{kNow}, UnixMs{kNow}}};
  return status;
}

TEST(CtlManifest, ShowsEverythingAndNoEscapes) {
  const std::string text = manifest_text(known(), status(), false);
  for (const char* part :
       {"wall-3/wayland-1  link connected, verdict ok", "compositor: sway 1.7 (version from ipc)", "display: wayland-1",
        "process: 42 /usr/bin/sway", "revision 7", "hash abc", "1920x1080@60Hz", "1280x720@59.951Hz", "1.5", "-1920,0",
        "output.power  no         no protocol for it", "wl_output  4", "seat0  seat", "ACME\\x1b[2J"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, testing::ContainsRegex("DP-2 +off +off"));
}

TEST(CtlManifest, SaysThatItIsCurrentOnlyWhileTheAgentIsThere) {
  EXPECT_THAT(freshness_text(known().freshness, status()), HasSubstr("This is what it is"));
}

TEST(CtlManifest, SaysHowLongAgoTheCompositorEnded) {
  msg::Status off = status();
  off.process.state = msg::Process::kKilled;
  off.process.signal = 9;
  off.process.since = UnixMs{kNow - 30'000};
  EXPECT_EQ(freshness_text(known().freshness, off), "The compositor is off (killed(9)); this is what it was 30 s ago.");
}

TEST(CtlManifest, DoesNotCallAStoppedCompositorOff) {
  msg::Status stopped = status();
  stopped.process.state = msg::Process::kStopped;
  stopped.layer = "process";
  EXPECT_THAT(freshness_text(known().freshness, stopped), Not(HasSubstr("is off")));
}

TEST(CtlManifest, SaysThatNothingIsKnownWhenTheAgentIsLost) {
  KnownManifest old = known();
  old.freshness.last_seen = UnixMs{kNow - 45'000};
  msg::Status lost = status();
  lost.link.state = msg::Link::kLost;
  lost.process.state = msg::Process::kExited;  // what it said last does not count
  const std::string text = freshness_text(old.freshness, lost);
  EXPECT_THAT(text, HasSubstr("is lost: whether the compositor is still like this is not known"));
  EXPECT_THAT(text, HasSubstr("45 s ago"));
}

TEST(CtlStatus, ShowsInOneLineWhatWasMeasured) {
  msg::Status measured = status();
  EXPECT_THAT(show_text(measured, known(), UnixMs{kNow}, false), Not(HasSubstr("measured")));
  measured.metrics = msg::Metrics{1'234, 4'800, 148'897'792, 3.1, 12, 1};
  EXPECT_THAT(
      show_text(measured, known(), UnixMs{kNow}, false),
      HasSubstr("  measured    round trip p50 1.23 ms, p99 4.8 ms · 142 MiB · 3.1 % CPU · 12 clients · 1 restart\n"));
  EXPECT_EQ(metrics_text({{}, {}, 1'048'576, 0.0, 1, {}}), "1 MiB · 0.0 % CPU · 1 client");
}

TEST(CtlStatus, ShowsAllFactsWithReasonAndAge) {
  msg::Status bad = status();
  bad.verdict = msg::Verdict::kDown;
  bad.layer = "progress";
  bad.reason = "the compositor is frozen (stopped)";
  bad.progress.state = msg::Progress::kFrozen;
  bad.progress.cause = "stopped";
  bad.labels = {{"site", "berlin"}};
  const std::string text = show_text(bad, known(), UnixMs{kNow}, false);
  for (const char* part :
       {"is down since", "(60 min)", "reason      the compositor is frozen (stopped) (layer progress)", "site=berlin",
        "sway 1.7 (described 60 s ago)", "frozen (stopped), last answer took 0.25 ms", "seen 0.2 s ago",
        "output DP-2"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("The agent is away")));
}

TEST(CtlStatus, SaysThatFactsOfALostAgentAreOld) {
  msg::Status lost = status();
  lost.link.state = msg::Link::kLost;
  EXPECT_THAT(show_text(lost, std::nullopt, UnixMs{kNow}, false), HasSubstr("The agent is away"));
}

class CtlLine : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(CtlLine, ShowsTheVerdictBeforeAndAfter) {
  feed::StatusChange change{status(), std::nullopt, UnixMs{kNow + 5}, 3, false};
  EXPECT_EQ(change_line(change, false), "2023-11-14 22:13:20.005  wall-3/wayland-1  ok");
  change.before = change.status;
  change.status.verdict = msg::Verdict::kDown;
  change.status.reason = "killed\n";
  EXPECT_EQ(change_line(change, false), "2023-11-14 22:13:20.005  wall-3/wayland-1  ok → down  killed\\x0a");
  EXPECT_THAT(change_line(change, true), HasSubstr("\x1b[1;31mdown\x1b[0m"));
}

TEST_F(CtlLine, ShowsTheFactsThatChangedUnderTheSameVerdict) {
  feed::StatusChange change{status(), status(), UnixMs{kNow}, 3, false};
  EXPECT_EQ(change_line(change, false), "2023-11-14 22:13:20.000  wall-3/wayland-1  ok");
  change.before->progress.state = msg::Progress::kSlow;
  change.before->outputs.clear();
  EXPECT_EQ(change_line(change, false),
            "2023-11-14 22:13:20.000  wall-3/wayland-1  ok  progress slow → ok, outputs 0/0 → 1/2");
}

TEST_F(CtlLine, ShowsAlerts) {
  msg::Alert alert;
  alert.id = "a/b";
  alert.about = "compositor";
  alert.severity = msg::AlertSeverity::kCritical;
  alert.text = "gone";
  alert.at = UnixMs{0};
  EXPECT_EQ(alert_line(alert, false), "1970-01-01 00:00:00.000  a/b  critical alert firing  compositor: gone");
  alert.silenced_by = "silence-0001-0001";
  alert.acked = msg::AlertAck{"eve", {}, {}};
  EXPECT_EQ(alert_line(alert, false),
            "1970-01-01 00:00:00.000  a/b  critical alert firing  compositor: gone (acknowledged by eve, silenced)");
}

TEST(CtlAlerts, CountsWhatIsHiddenByItsReason) {
  msg::Alert planned;
  planned.suppressed_by = "maintenance-0000000000000001";
  msg::Alert explained;
  explained.suppressed_by = "00000000692ff4c10000000000000001";
  EXPECT_EQ(hidden_text({}), "");
  EXPECT_EQ(hidden_text({planned}), " except 1 in maintenance (--all shows it)");
  EXPECT_EQ(hidden_text({explained}), " except 1 explained by another (--all shows it)");
  EXPECT_EQ(hidden_text({explained, planned, explained}),
            " except 2 explained by others and 1 in maintenance (--all shows them)");
}

TEST_F(CtlLine, TimesBeforeTheEpochAndBeyondTheCalendarAreNoTrouble) {
  EXPECT_EQ(time_text(UnixMs{-1}), "1969-12-31 23:59:59.999");
  EXPECT_FALSE(time_text(UnixMs{INT64_MAX}).empty());
  EXPECT_FALSE(time_text(UnixMs{INT64_MIN}).empty());
}

TEST(CtlFleet, NamesTheNearestIdsFirst) {
  EXPECT_THAT(known_ids_text("wall-3/wayland-2", {"lab/:0", "wall-3/wayland-1"}),
              HasSubstr("did you mean wall-3/wayland-1? the bus knows lab/:0, wall-3/wayland-1"));
  std::vector<std::string> many;
  for (int i = 0; i < 25; ++i) many.push_back("host-" + std::to_string(i) + "/:0");
  EXPECT_THAT(known_ids_text("zzz", many), HasSubstr("and 15 more"));
  EXPECT_THAT(known_ids_text("zzz", {}), HasSubstr("no compositor has registered yet"));
}

}  // namespace
}  // namespace compositord::ctl
