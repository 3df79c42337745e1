// Screenshots in their order, with captures that do what a test wants; the encoder and its thread are the real ones.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <deque>
#include <memory>
#include <utility>

#include "agent/capture/screenshot_runner.h"
#include "tests/support/png_image.h"
#include "tests/support/test_shots.h"

namespace compositord::agent {
namespace {

using driver_event::CommandFinished;
using driver_event::CommandPart;
using msg::Value;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Gives what it finds in `outcomes`, in their order; nothing while there is nothing.
class ScriptedCapture : public Capture {
 public:
  explicit ScriptedCapture(std::deque<Result<Shot>>& outcomes) : outcomes_(outcomes) {}
  void poll_fds(std::vector<pollfd>&) const override {}
  Instant next_deadline() const noexcept override { return kNever; }
  std::optional<Result<Shot>> service(Instant) override {
    if (outcomes_.empty()) return std::nullopt;
    Result<Shot> outcome = std::move(outcomes_.front());
    outcomes_.pop_front();
    return outcome;
  }

 private:
  std::deque<Result<Shot>>& outcomes_;
};

class ScreenshotRunnerTest : public ::testing::Test {
 protected:
  static Shot small_shot() {
    Shot shot;
    shot.pictures.push_back(test::plain_picture(4, 3, 0x12'3456));
    shot.outputs = {"DP-1"};
    return shot;
  }
  // Of noise: its PNG has more than one turn's parts.
  static Shot large_shot() {
    std::vector<std::uint32_t> words(std::size_t{800} * 800);
    std::uint32_t state = 7;
    for (std::uint32_t& word : words) word = (state = state * 1'664'525U + 1'013'904'223U) >> 8U;
    Shot shot;
    shot.pictures.push_back(Picture{test::pixels_of(800, words), msg::Transform::k0, {}});
    return shot;
  }
  void ask(std::uint64_t id, Duration within = seconds(5)) {
    runner_.execute(id, Value::map(), now_, now_ + within, out_);
  }
  // As a loop does: waits for descriptors and goes on, until so many commands have ended.
  void run_until_ended(std::size_t count) {
    while (ended().size() < count) {
      std::vector<pollfd> fds;
      runner_.poll_fds(fds);
      ASSERT_TRUE(!fds.empty() || runner_.next_deadline() <= now_) << "nothing to wait for";
      if (runner_.next_deadline() > now_) {
        ASSERT_EQ(::poll(fds.data(), fds.size(), 10'000), 1);
      }
      runner_.service(now_, out_);
    }
  }
  std::vector<CommandFinished> ended() const {
    std::vector<CommandFinished> list;
    for (const DriverEvent& event : out_.events) {
      if (const auto* finished = std::get_if<CommandFinished>(&event)) list.push_back(*finished);
    }
    return list;
  }
  std::string bytes_of(std::uint64_t id) const {
    std::string bytes;
    for (const DriverEvent& event : out_.events) {
      const auto* part = std::get_if<CommandPart>(&event);
      if (part == nullptr || part->command_id != id) continue;
      EXPECT_LE(part->bytes.size(), kCommandPartBytesMax);
      bytes += part->bytes;
    }
    return bytes;
  }

  Instant now_;
  std::deque<Result<Shot>> outcomes_;
  ScreenshotRunner runner_{[this](const ScreenshotRequest&) -> Result<std::unique_ptr<Capture>> {
    return std::make_unique<ScriptedCapture>(outcomes_);
  }};
  DriverOutputs out_;
};

TEST_F(ScreenshotRunnerTest, SendsThePngThenSaysWhatItWas) {
  outcomes_.emplace_back(small_shot());
  ask(1);
  run_until_ended(1);
  const CommandFinished done = ended().front();
  EXPECT_EQ(done.status, Status::kDone) << done.error;
  const std::string png = bytes_of(1);
  const test::PngImage image = test::decode_png(png);
  EXPECT_EQ(image.error, "");
  EXPECT_EQ(image.at(3, 2), 0x12'3456U);
  EXPECT_EQ(*done.result.find("width"), Value(4));
  EXPECT_EQ(*done.result.find("height"), Value(3));
  EXPECT_EQ(*done.result.find("bytes"), Value(std::uint64_t{png.size()}));
  EXPECT_EQ(*done.result.find("outputs"), Value::array({"DP-1"}));
  EXPECT_TRUE(runner_.is_idle());
  EXPECT_EQ(runner_.next_deadline(), kNever);
}

TEST_F(ScreenshotRunnerTest, ALargeOneIsSentOverSeveralTurns) {
  outcomes_.emplace_back(large_shot());
  ask(1);
  std::size_t parts_before = 0;
  while (ended().empty()) {
    std::vector<pollfd> fds;
    runner_.poll_fds(fds);
    if (runner_.next_deadline() > now_) {
      ASSERT_EQ(::poll(fds.data(), fds.size(), 10'000), 1);
    }
    runner_.service(now_, out_);
    const std::size_t parts = out_.events.size() - ended().size();
    EXPECT_LE(parts - parts_before, static_cast<std::size_t>(ScreenshotRunner::kPartsPerTurnMax));
    parts_before = parts;
  }
  EXPECT_GT(parts_before, static_cast<std::size_t>(ScreenshotRunner::kPartsPerTurnMax));
  EXPECT_EQ(test::decode_png(bytes_of(1)).error, "");
}

TEST_F(ScreenshotRunnerTest, OneIsMadeAtATimeAndTooManyAreRefused) {
  for (std::uint64_t id = 1; id <= 6; ++id) ask(id);
  ASSERT_EQ(ended().size(), 1U);
  EXPECT_EQ(ended().front().command_id, 6U);
  EXPECT_EQ(ended().front().status, Status::kLimit);
  for (int i = 0; i < 5; ++i) outcomes_.emplace_back(small_shot());
  runner_.service(now_, out_);
  run_until_ended(6);
  std::vector<std::uint64_t> order;
  for (const CommandFinished& finished : ended()) order.push_back(finished.command_id);
  EXPECT_THAT(order, ElementsAre(6, 1, 2, 3, 4, 5));
}

TEST_F(ScreenshotRunnerTest, ACaptureThatNeverEndsEndsAtItsDeadlineAndTheNextOneHasItsTurn) {
  ask(1, seconds(1));
  ask(2, seconds(9));
  EXPECT_EQ(runner_.next_deadline(), now_ + seconds(1));
  now_ = now_ + seconds(1);
  outcomes_.emplace_back(small_shot());
  runner_.service(now_, out_);
  ASSERT_EQ(ended().size(), 1U);
  EXPECT_EQ(ended().front().status, Status::kDeadline);
  run_until_ended(2);
  EXPECT_EQ(ended().back().command_id, 2U);
  EXPECT_EQ(ended().back().status, Status::kDone);
}

TEST_F(ScreenshotRunnerTest, ADeadlineThatPassesWhileItIsEncodedEndsItAndLeavesNothingBehind) {
  outcomes_.emplace_back(large_shot());
  ask(1, seconds(1));
  ask(2, seconds(9));
  now_ = now_ + seconds(1);
  runner_.service(now_, out_);
  ASSERT_EQ(ended().size(), 1U);
  EXPECT_EQ(ended().front().status, Status::kDeadline);
  outcomes_.emplace_back(small_shot());
  run_until_ended(2);
  EXPECT_EQ(bytes_of(1), "");
  EXPECT_EQ(test::decode_png(bytes_of(2)).width, 4U);
}

TEST_F(ScreenshotRunnerTest, AFailureIsToldAndARefusalForGoodIsRemembered) {
  outcomes_.emplace_back(fail(Status::kFailed, "DP-1 vanished"));
  ask(1);
  EXPECT_EQ(ended().back().error, "DP-1 vanished");
  EXPECT_FALSE(runner_.take_refusal());
  outcomes_.emplace_back(fail(Status::kUnsupported, "it must be started with --debug"));
  ask(2);
  EXPECT_EQ(ended().back().status, Status::kUnsupported);
  EXPECT_EQ(runner_.take_refusal(), "it must be started with --debug");
  EXPECT_FALSE(runner_.take_refusal());
}

TEST_F(ScreenshotRunnerTest, AllEndWithTheCompositor) {
  outcomes_.emplace_back(large_shot());
  ask(1);
  ask(2);
  runner_.on_gone("the compositor", out_);
  ASSERT_EQ(ended().size(), 2U);
  for (const CommandFinished& finished : ended()) {
    EXPECT_EQ(finished.status, Status::kGone);
    EXPECT_THAT(finished.error, HasSubstr("the compositor ended"));
  }
  EXPECT_TRUE(runner_.is_idle());
}

TEST_F(ScreenshotRunnerTest, WrongParametersEndAtOnce) {
  runner_.execute(1, Value::map({{"max_width", 0}}), now_, now_ + seconds(1), out_);
  runner_.execute(2, Value::map(), now_, now_, out_);
  ASSERT_EQ(ended().size(), 2U);
  EXPECT_EQ(ended()[0].status, Status::kMalformed);
  EXPECT_EQ(ended()[1].status, Status::kDeadline);
}

}  // namespace
}  // namespace compositord::agent
