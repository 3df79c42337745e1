// Four facts, one verdict that names the first layer that failed.

#include "broker/core/verdict.h"

#include <gtest/gtest.h>

namespace compositord::broker {
namespace {

using msg::Verdict;

msg::Status healthy() {
  msg::Status status;
  status.id = "wall/0";
  status.link.state = msg::Link::kConnected;
  status.process.state = msg::Process::kRunning;
  status.progress.state = msg::Progress::kOk;
  status.outputs.push_back({"DP-1", msg::OutputState::kOn, {}, {}});
  return status;
}

msg::Status judged(msg::Status status, bool reported = true) {
  apply_verdict(find_faults(status, reported), status);
  return status;
}

void expect(const msg::Status& status, Verdict verdict, const std::string& layer, const std::string& reason) {
  EXPECT_EQ(name_of(status.verdict), name_of(verdict));
  EXPECT_EQ(status.layer, layer);
  EXPECT_EQ(status.reason, reason);
  EXPECT_EQ(status.summary, verdict == Verdict::kOk ? "COMPOSITE_OK" : "COMPOSITE_ERROR");
}

TEST(Verdict, IsOkWhenEveryLayerIs) { expect(judged(healthy()), Verdict::kOk, "", ""); }

TEST(Verdict, ASuspectedLinkCondemnsNothing) {
  msg::Status status = healthy();
  status.link.state = msg::Link::kSuspect;
  expect(judged(status), Verdict::kOk, "", "");
}

TEST(Verdict, ALostAgentMakesItsCompositorUnknownNotDown) {
  msg::Status status = healthy();
  status.process.state = msg::Process::kKilled;  // what it said last is no news any more
  status.link.state = msg::Link::kLost;
  expect(judged(status), Verdict::kUnknown, "link", "the agent is lost");
  status.link.state = msg::Link::kLeft;
  expect(judged(status), Verdict::kUnknown, "link", "the agent signed off");
}

TEST(Verdict, AnAgentThatHasNotReportedMakesItUnknown) {
  expect(judged(healthy(), false), Verdict::kUnknown, "link", "the agent has not reported yet");
}

TEST(Verdict, ADeadProcessIsDownAndSaysHow) {
  msg::Status status = healthy();
  status.progress.state = msg::Progress::kUnknown;
  status.process.state = msg::Process::kKilled;
  expect(judged(status), Verdict::kDown, "process", "the compositor was killed");
  status.process.signal = 9;
  expect(judged(status), Verdict::kDown, "process", "the compositor was killed by signal 9 (SIGKILL)");
  status.process.signal = 64;
  expect(judged(status), Verdict::kDown, "process", "the compositor was killed by signal 64");
  status.process = {};
  status.process.state = msg::Process::kExited;
  expect(judged(status), Verdict::kDown, "process", "the compositor is gone; how it ended is unknown");
  status.process.code = 0;
  expect(judged(status), Verdict::kDown, "process", "the compositor exited with code 0");
}

TEST(Verdict, ADeadProcessIsTheOnlyFaultOfItsCompositor) {
  msg::Status status = healthy();
  status.process.state = msg::Process::kKilled;
  status.progress.state = msg::Progress::kFrozen;
  status.outputs[0].state = msg::OutputState::kUnknown;
  EXPECT_EQ(find_faults(status, true).size(), 1U);
}

TEST(Verdict, NoCompositorAtAllIsDown) {
  msg::Status status = healthy();
  status.process.state = msg::Process::kUnknown;
  status.progress.state = msg::Progress::kUnknown;
  status.outputs.clear();
  expect(judged(status), Verdict::kDown, "process", "the agent finds no compositor on this display");
}

TEST(Verdict, ProgressIsDegradedUntilItIsFrozen) {
  msg::Status status = healthy();
  status.progress.state = msg::Progress::kSlow;
  expect(judged(status), Verdict::kDegraded, "progress", "the compositor answers slowly");
  status.progress.cause = "sway answers, but draws no frames on DP-1";
  expect(judged(status), Verdict::kDegraded, "progress",
         "the compositor is slow (sway answers, but draws no frames on DP-1)");
  status.progress.state = msg::Progress::kSuspect;
  status.progress.cause = "spinning";
  expect(judged(status), Verdict::kDegraded, "progress", "the compositor has not answered for some seconds (spinning)");
  status.progress.state = msg::Progress::kFrozen;
  expect(judged(status), Verdict::kDown, "progress", "the compositor is frozen (spinning)");
  status.progress.state = msg::Progress::kUnknown;
  expect(judged(status), Verdict::kUnknown, "progress", "nothing is known of the compositor's progress");
}

TEST(Verdict, TheFirstLayerIsNamedAndTheWorstFaultGivesTheVerdict) {
  msg::Status status = healthy();
  status.process.state = msg::Process::kStopped;
  status.progress.state = msg::Progress::kFrozen;
  expect(judged(status), Verdict::kDown, "process", "the compositor's process is stopped; the compositor is frozen");
}

TEST(Verdict, AnOutputThatIsOffDegrades) {
  msg::Status status = healthy();
  status.outputs.push_back({"DP-2", msg::OutputState::kOff, {}, {}});
  status.outputs.push_back({"DP-3", msg::OutputState::kDisconnected, {}, {}});
  expect(judged(status), Verdict::kDegraded, "output/DP-2", "output DP-2 is off");
  EXPECT_EQ(find_faults(status, true).size(), 2U);
  status.outputs[1].state = msg::OutputState::kUnknown;
  expect(judged(status), Verdict::kUnknown, "output/DP-2", "nothing is known of output DP-2");
}

}  // namespace
}  // namespace compositord::broker
