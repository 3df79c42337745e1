// Commands through wlr-output-management, against heads made of values: no Wayland, no clock.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/output/output_command_runner.h"

namespace compositord::agent {
namespace {

using driver_event::CommandFinished;
using msg::Value;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

KnownOutput output(const std::string& name, std::uint32_t width = 1280) {
  KnownOutput known;
  known.output.name = name;
  known.output.current_mode = msg::Mode{width, 720, 60000, false};
  known.active = true;
  return known;
}

KnownOutput switched_off(const std::string& name, std::vector<msg::Mode> modes = {}) {
  KnownOutput known;
  known.output.name = name;
  known.output.modes = std::move(modes);
  return known;
}

OutputRequest command(const std::string& method, Value params) {
  params.set("output", "A-1");
  return *parse_output_request(method, params);
}

// --- what a command means for the heads ---

TEST(WlrChanges, NameOnlyTheHeadThatChanges) {
  const std::vector<KnownOutput> outputs{output("A-1"), output("A-2")};
  HeadChange scaled;
  scaled.name = "A-1";
  scaled.scale = 2.0;
  EXPECT_THAT(changes_for(command("output.scale", Value::map({{"scale", 2}})), outputs, outputs), ElementsAre(scaled));
}

TEST(WlrChanges, TakeTheModeOfTheListWithTheHighestRefreshRate) {
  KnownOutput monitor = output("A-1");
  monitor.output.modes = {{800, 600, 50000, false}, {800, 600, 75000, false}, {1280, 720, 60000, true}};
  const auto changes =
      changes_for(command("output.mode", Value::map({{"width_px", 800}, {"height_px", 600}})), {monitor}, {monitor});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].mode, (msg::Mode{800, 600, 75000, false}));
}

TEST(WlrChanges, SwitchOnWithThePreferredMode) {
  const KnownOutput off = switched_off("A-1", {{1920, 1080, 120000, false}, {1920, 1080, 60000, true}});
  const auto changes = changes_for(command("output.enable", Value::map()), {off}, {off});
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_TRUE(changes[0].enabled);
  EXPECT_EQ(changes[0].mode, (msg::Mode{1920, 1080, 60000, true}));
}

TEST(WlrChanges, KeepAnOutputOnWhoseHeadDeniesIt) {
  // sway 1.7 says "disabled" of every head without a list of modes, and would switch them off.
  const std::vector<KnownOutput> outputs{output("A-1"), output("A-2")};
  const std::vector<KnownOutput> heads{switched_off("A-1"), switched_off("A-2")};
  const auto changes = changes_for(command("output.scale", Value::map({{"scale", 2}})), outputs, heads);
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(changes[0].scale, 2.0);
  EXPECT_EQ(changes[0].mode, outputs[0].output.current_mode);
  EXPECT_EQ(changes[1].scale, 1.0);
  EXPECT_TRUE(changes[1].enabled);
  EXPECT_EQ(changes[1].mode, outputs[1].output.current_mode);
}

TEST(WlrChanges, OfSeveralOutputsAreOneConfiguration) {
  const std::vector<KnownOutput> outputs{output("A-1"), output("A-2"), output("A-3")};
  const Value first = Value::map({{"output", "A-1"}, {"scale", 2}, {"x", 5}, {"y", 6}});
  const Value third = Value::map({{"output", "A-3"}, {"enabled", false}});
  const auto request =
      parse_output_request("output.configure", Value::map({{"outputs", Value::array({first, third})}}));
  ASSERT_TRUE(request);
  HeadChange scaled;
  scaled.name = "A-1";
  scaled.scale = 2.0;
  scaled.position = std::pair{5, 6};
  HeadChange off;
  off.name = "A-3";
  off.enabled = false;
  EXPECT_THAT(changes_for(*request, outputs, outputs), ElementsAre(scaled, off));
}

// --- the state machine ---

class OutputCommands : public ::testing::Test {
 protected:
  OutputCommands() {
    seen_.compositor = "phoc";
    show({output("A-1")});
    seen_.serial = 7;
  }
  void show(std::vector<KnownOutput> outputs) { seen_.heads = seen_.outputs = std::move(outputs); }
  void execute(const std::string& method, Value params) {
    params.set("output", "A-1");
    runner_.execute(1, method, params, now_, now_ + seconds(5), out_);
  }
  void set_mode() { execute("output.mode", Value::map({{"width_px", 800}, {"height_px", 720}})); }
  std::optional<OutputCommandRunner::Ask> step() {
    auto ask = runner_.step(seen_, now_, out_);
    seen_.outcome.reset();
    return ask;
  }
  void expect_configure(Purpose purpose) {
    const auto ask = step();
    ASSERT_TRUE(ask);
    ASSERT_TRUE(std::holds_alternative<OutputCommandRunner::Configure>(*ask));
    EXPECT_EQ(std::get<OutputCommandRunner::Configure>(*ask).purpose, purpose);
  }
  CommandFinished ended() {
    EXPECT_EQ(out_.events.size(), 1U);
    return out_.events.empty() ? CommandFinished{} : std::get<CommandFinished>(out_.events.back());
  }

  Instant now_ = Instant::from_ns(1'000'000'000);
  OutputCommandRunner::Seen seen_;
  OutputCommandRunner runner_;
  DriverOutputs out_;
};

TEST_F(OutputCommands, TestsThenAppliesThenReadsBack) {
  set_mode();
  expect_configure(Purpose::kTest);
  EXPECT_FALSE(step()) << "the outcome is awaited";
  seen_.outcome = Outcome::kSucceeded;
  expect_configure(Purpose::kApply);
  seen_.outcome = Outcome::kSucceeded;
  EXPECT_FALSE(step());
  EXPECT_TRUE(out_.events.empty()) << "success is not believed before it is seen";
  show({output("A-1", 800)});
  step();
  const CommandFinished done = ended();
  EXPECT_EQ(done.status, Status::kDone) << done.error;
  EXPECT_TRUE(runner_.is_idle());
  EXPECT_EQ(runner_.next_deadline(), kNever);
}

TEST_F(OutputCommands, FailsWhenSuccessIsNotSeen) {
  set_mode();
  step();
  seen_.outcome = Outcome::kSucceeded;
  step();
  seen_.outcome = Outcome::kSucceeded;
  step();
  now_ = now_ + OutputCommandRunner::kReadBackTime;
  EXPECT_LE(runner_.next_deadline(), now_);
  step();
  EXPECT_EQ(ended().status, Status::kFailed);
  EXPECT_EQ(ended().error, "phoc accepted it and did not do it");
  EXPECT_NE(ended().result.find("after"), nullptr);
}

TEST_F(OutputCommands, AppliesNothingThatFailedTheTest) {
  set_mode();
  step();
  seen_.outcome = Outcome::kFailed;
  EXPECT_FALSE(step());
  EXPECT_EQ(ended().status, Status::kFailed);
  EXPECT_THAT(ended().error, HasSubstr("nothing was changed"));
}

TEST_F(OutputCommands, TriesACancelledOneAgainWithTheNewSerial) {
  set_mode();
  step();
  seen_.outcome = Outcome::kCancelled;
  EXPECT_FALSE(step()) << "the serial is the old one";
  EXPECT_FALSE(step());
  seen_.serial = 8;
  expect_configure(Purpose::kTest);
  seen_.outcome = Outcome::kSucceeded;
  expect_configure(Purpose::kApply);
  // The new serial may have come before the word that the old one is cancelled.
  seen_.serial = 9;
  seen_.outcome = Outcome::kCancelled;
  expect_configure(Purpose::kTest);
  EXPECT_TRUE(out_.events.empty());
}

TEST_F(OutputCommands, GivesUpAfterSoManyCancelledOnes) {
  set_mode();
  step();
  for (int i = 1; i < OutputCommandRunner::kTriesMax; ++i) {
    ++seen_.serial;
    seen_.outcome = Outcome::kCancelled;
    ASSERT_TRUE(step()) << i;
  }
  ++seen_.serial;
  seen_.outcome = Outcome::kCancelled;
  EXPECT_FALSE(step());
  EXPECT_EQ(ended().status, Status::kFailed);
  EXPECT_THAT(ended().error, HasSubstr("cancelled it 10 times"));
}

TEST_F(OutputCommands, SendsNothingForWhatIsSoAlready) {
  execute("output.enable", Value::map());
  EXPECT_FALSE(step());
  EXPECT_EQ(ended().status, Status::kDone);
}

TEST_F(OutputCommands, WantsAnOutputSwitchedOnBeforeItIsChanged) {
  show({switched_off("A-1")});
  execute("output.scale", Value::map({{"scale", 2}}));
  EXPECT_FALSE(step());
  EXPECT_EQ(ended().error, "A-1 is switched off; use output.enable first");
}

TEST_F(OutputCommands, ReadsPowerBackWithoutAnAnswer) {
  execute("output.power", Value::map({{"on", false}}));
  const auto ask = step();
  ASSERT_TRUE(ask && std::holds_alternative<OutputCommandRunner::SetPower>(*ask));
  EXPECT_FALSE(step());
  seen_.outputs[0].powered = false;
  step();
  EXPECT_EQ(ended().status, Status::kDone);
  EXPECT_EQ(*ended().result.find("after")->find("powered"), Value(false));
}

TEST_F(OutputCommands, SaysThatAnOutputHasNoPower) {
  execute("output.power", Value::map({{"on", false}}));
  step();
  runner_.on_no_power(out_);
  EXPECT_EQ(ended().status, Status::kUnsupported);
  EXPECT_TRUE(runner_.is_idle());
}

TEST_F(OutputCommands, SaysWhatItKnowsAtTheDeadline) {
  set_mode();
  step();
  now_ = now_ + seconds(5);
  runner_.tick(now_, out_);
  EXPECT_EQ(ended().status, Status::kDeadline);
  EXPECT_THAT(ended().error, HasSubstr("nothing was changed"));
  out_.events.clear();
  set_mode();
  step();
  seen_.outcome = Outcome::kSucceeded;
  step();
  now_ = now_ + seconds(5);
  runner_.tick(now_, out_);
  EXPECT_THAT(ended().error, HasSubstr("outcome is unknown"));
}

TEST_F(OutputCommands, TakesNoMoreThanItsQueueHolds) {
  for (std::size_t i = 0; i < OutputCommandQueue::kQueuedMax; ++i) set_mode();
  EXPECT_TRUE(out_.events.empty());
  set_mode();
  EXPECT_EQ(ended().status, Status::kLimit);
  out_.events.clear();
  runner_.on_gone(out_);
  EXPECT_EQ(out_.events.size(), OutputCommandQueue::kQueuedMax);
  EXPECT_TRUE(runner_.is_idle());
}

}  // namespace
}  // namespace compositord::agent
