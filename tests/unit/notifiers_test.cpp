// All notifiers together: each has its own thread, its attempts, and the dead letters behind it.
#include "broker/notify/notifiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "broker/notify/dead_letters.h"
#include "common/base/clock.h"
#include "common/msg/value.h"
#include "tests/support/http_receiver.h"
#include "tests/support/sample_notification.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::sample_notification;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class NotifiersTest : public ::testing::Test {
 protected:
  NotifiersTest() { ::unsetenv("http_proxy"); }
  NotifierConfig& add(const std::string& name, const std::string& path) {
    NotifierConfig& config = configs_.emplace_back();
    config.name = name;
    config.url = server_.url(path);
    config.backoff = milliseconds(1);
    return config;
  }
  NotifierConfig& add_program(const std::string& name, const std::string& script) {
    NotifierConfig& config = add(name, "");
    config.kind = NotifierKind::kExec;
    config.command = {"/bin/sh", "-c", script, "sh", (dir_.path() / name).string()};
    return config;
  }
  void start() {
    auto started = Notifiers::start(configs_, dir_.path());
    ASSERT_TRUE(started) << started.error().text;
    notifiers_ = std::move(*started);
  }
  // So many results, or what there is after 10 s.
  std::vector<Delivered> results(std::size_t count) {
    std::vector<Delivered> all;
    pollfd ready{notifiers_->event_fd(), POLLIN, 0};
    while (all.size() < count && poll(&ready, 1, 10'000) == 1) {
      for (Delivered& one : notifiers_->drain()) all.push_back(std::move(one));
    }
    EXPECT_EQ(poll(&ready, 1, 0), 0) << "more than expected";
    return all;
  }
  std::vector<msg::Value> dead_letters() const {
    std::vector<msg::Value> letters;
    std::ifstream in(dir_.path() / "dead-letters.jsonl");
    for (std::string line; std::getline(in, line);) letters.push_back(msg::decode_json(line).value());
    return letters;
  }

  test::TempDir dir_;
  test::HttpReceiver server_;
  std::vector<NotifierConfig> configs_;
  std::unique_ptr<Notifiers> notifiers_;
};

TEST_F(NotifiersTest, TellsEachWhoWantsItOnce) {
  add("all", "/ok");
  add("warnings", "/ok").severities = {"warning"};
  add_program("program", "cat > \"$1\"");
  start();
  EXPECT_THAT(notifiers_->receivers(sample_notification()), ElementsAre("all", "program"));
  notifiers_->submit(sample_notification());
  std::vector<Delivered> got = results(2);
  std::sort(got.begin(), got.end(), [](const auto& a, const auto& b) { return a.notifier < b.notifier; });
  EXPECT_THAT(got, ElementsAre(Delivered{"a1/1", "all", true, 1, ""}, Delivered{"a1/1", "program", true, 1, ""}));
  EXPECT_TRUE(notifiers_->stop());
}

TEST_F(NotifiersTest, TriesAgainUntilItSucceeds) {
  add("ops", "/later/500/3");
  start();
  notifiers_->submit(sample_notification());
  EXPECT_THAT(results(1), ElementsAre(Delivered{"a1/1", "ops", true, 4, ""}));
  EXPECT_FALSE(std::filesystem::exists(dir_.path() / "dead-letters.jsonl"));
}

TEST_F(NotifiersTest, WaitsAsLongAsTheReceiverAsks) {
  add("ops", "/busy/1/1");
  start();
  const Instant before = monotonic_now();
  notifiers_->submit(sample_notification());
  EXPECT_THAT(results(1), ElementsAre(Delivered{"a1/1", "ops", true, 2, ""}));
  EXPECT_GE(monotonic_now() - before, seconds(1));
}

TEST_F(NotifiersTest, WhatFailsForGoodIsADeadLetter) {
  add("ops", "/status/500").attempts = 3;
  start();
  notifiers_->submit(sample_notification());
  EXPECT_THAT(results(1), ElementsAre(Delivered{"a1/1", "ops", false, 3, "127.0.0.1 answered HTTP 500"}));
  const auto letters = dead_letters();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_EQ(*letters[0].find("notifier"), msg::Value("ops"));
  EXPECT_EQ(*letters[0].find("attempts"), msg::Value(3));
  EXPECT_EQ(*letters[0].find("error"), msg::Value("127.0.0.1 answered HTTP 500"));
  EXPECT_EQ(*letters[0].find("alert"), msg::decode_json(sample_notification().json).value());
}

TEST_F(NotifiersTest, ARefusalIsNotTriedAgain) {
  add("ops", "/status/404");
  start();
  notifiers_->submit(sample_notification());
  EXPECT_THAT(results(1), ElementsAre(Delivered{"a1/1", "ops", false, 1, "127.0.0.1 answered HTTP 404"}));
}

TEST_F(NotifiersTest, TheTotalTimeIsBounded) {
  NotifierConfig& config = add("ops", "/busy/3600/1");
  config.give_up_after = seconds(5);
  start();
  notifiers_->submit(sample_notification());
  EXPECT_THAT(results(1), ElementsAre(Delivered{"a1/1", "ops", false, 1, "127.0.0.1 answered HTTP 429"}));
}

TEST_F(NotifiersTest, OneThatHangsDelaysNeitherTheOthersNorTheEnd) {
  add("hanging", "/hang").timeout = std::chrono::hours(1);
  add_program("hanging program", "cat /dev/zero > /dev/null").timeout = std::chrono::hours(1);
  add("ops", "/ok");
  start();
  const Instant before = monotonic_now();
  for (int i = 0; i < 20; ++i) notifiers_->submit(sample_notification("a1/" + std::to_string(i)));
  EXPECT_LT(monotonic_now() - before, milliseconds(500)) << "submit() waits";
  const auto got = results(20);
  EXPECT_THAT(got, SizeIs(20));
  for (const Delivered& one : got) EXPECT_EQ(one.notifier, "ops");
  EXPECT_TRUE(notifiers_->stop());
  EXPECT_THAT(notifiers_->drain(), SizeIs(0)) << "what was broken off is told nobody";
}

TEST_F(NotifiersTest, OrderIsKept) {
  add_program("program", "echo $COMPOSITORD_DEDUPE >> \"$1\"");
  start();
  for (int i = 0; i < 10; ++i) notifiers_->submit(sample_notification("a/" + std::to_string(i)));
  EXPECT_THAT(results(10), SizeIs(10));
  std::ifstream in(dir_.path() / "program");
  for (int i = 0; i < 10; ++i) {
    std::string line;
    std::getline(in, line);
    EXPECT_EQ(line, "a/" + std::to_string(i));
  }
}

TEST_F(NotifiersTest, AFullQueueMakesTheOldestDeadLetters) {
  NotifierConfig& config = add("hanging", "/hang");
  config.timeout = std::chrono::hours(1);
  config.queue_max = 3;
  start();
  notifiers_->submit(sample_notification("a/0"));
  EXPECT_NE(server_.next(), "");  // it is under way, not queued
  for (int i = 1; i <= 5; ++i) notifiers_->submit(sample_notification("a/" + std::to_string(i)));
  const std::string why = "3 newer ones wait already";
  EXPECT_THAT(results(2),
              ElementsAre(Delivered{"a/1", "hanging", false, 0, why}, Delivered{"a/2", "hanging", false, 0, why}));
  EXPECT_THAT(dead_letters(), SizeIs(2));
}

TEST_F(NotifiersTest, WhatIsUnderWayIsNotQueuedAgainAndWhatHasEndedIs) {
  add("ops", "/slow/200");
  start();
  EXPECT_TRUE(notifiers_->submit(sample_notification(), "ops"));
  EXPECT_TRUE(notifiers_->submit(sample_notification(), "ops"));
  EXPECT_TRUE(notifiers_->submit(sample_notification("a1/2"), "ops"));
  EXPECT_FALSE(notifiers_->submit(sample_notification(), "nobody"));
  EXPECT_THAT(results(2), ElementsAre(Delivered{"a1/1", "ops", true, 1, ""}, Delivered{"a1/2", "ops", true, 1, ""}));
  EXPECT_TRUE(notifiers_->submit(sample_notification(), "ops"));
  EXPECT_THAT(results(1), ElementsAre(Delivered{"a1/1", "ops", true, 1, ""}));
}

TEST_F(NotifiersTest, ADiskThatTakesNoDeadLetterIsInTheError) {
  add("ops", "/status/404");
  std::filesystem::create_symlink("/dev/full", dir_.path() / "dead-letters.jsonl");
  start();
  notifiers_->submit(sample_notification());
  const auto got = results(1);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_THAT(got[0].error, AllOf(HasSubstr("answered HTTP 404; not kept in the dead letters: "),
                                  HasSubstr("No space left on device")));
}

TEST(DeadLetters, AreRotated) {
  const test::TempDir dir;
  DeadLetters letters(dir.path(), 600);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(letters.write(sample_notification(), {"a/1", "ops", false, 1, "x"}, {}));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    ++files;
    EXPECT_LE(entry.file_size(), 600U);
    EXPECT_GT(entry.file_size(), 0U);
  }
  EXPECT_EQ(files, 2U);
  const auto mode = std::filesystem::status(dir.path() / "dead-letters.jsonl").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace
}  // namespace compositord::broker
