// Where log lines go, and what happens when they can't.
#include "common/log/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "common/log/complaint.h"
#include "common/log/line_output.h"
#include "common/log/log_text.h"
#include "tests/support/datagram_listener.h"
#include "tests/support/temp_dir.h"

namespace compositord::log {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

LogEvent lost() {
  return LogEvent(Severity::kWarning, "worker.lost").with("id", "wall/w1").with("why", "silence\nfor 3 s");
}
LogEvent verdict(const std::string& to, const std::string& layer, const std::string& why) {
  return LogEvent(Severity::kWarning, "verdict.changed")
      .with("id", "wall/w1")
      .with("to", to)
      .with("layer", layer)
      .with("why", why);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Standard error, to be waited for.
class StderrPipe {
 public:
  StderrPipe() : before_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe(ends_.data()), 0);
    dup2(ends_[1], STDERR_FILENO);
  }
  ~StderrPipe() {
    dup2(before_, STDERR_FILENO);
    for (const int fd : {before_, ends_[0], ends_[1]}) close(fd);
  }
  StderrPipe(const StderrPipe&) = delete;
  StderrPipe& operator=(const StderrPipe&) = delete;
  // What has been said, at least something; empty when nothing is within 10 s.
  std::string next() const {
    pollfd readable{ends_[0], POLLIN, 0};
    std::array<char, 1'024> text{};
    if (poll(&readable, 1, 10'000) != 1) return {};
    return std::string(text.data(), static_cast<std::size_t>(read(ends_[0], text.data(), text.size())));
  }

 private:
  int before_;
  std::array<int, 2> ends_{};
};

// A pipe or a terminal that is read only when the test does.
class UnreadOutput {
 public:
  explicit UnreadOutput(bool terminal) {
    if (terminal) {
      ends_[0] = posix_openpt(O_RDWR | O_NOCTTY);
      EXPECT_EQ(grantpt(ends_[0]) + unlockpt(ends_[0]), 0);
      ends_[1] = open(ptsname(ends_[0]), O_RDWR | O_NOCTTY);
    } else {
      EXPECT_EQ(pipe(ends_.data()), 0);
    }
    EXPECT_EQ(fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
  }
  ~UnreadOutput() {
    for (const int fd : ends_) close(fd);
  }
  UnreadOutput(const UnreadOutput&) = delete;
  UnreadOutput& operator=(const UnreadOutput&) = delete;
  int write_end() const { return ends_[1]; }
  // All that has been written so far, until nothing comes any more.
  std::string read_all() const {
    std::string all;
    std::array<char, 4'096> text{};
    pollfd readable{ends_[0], POLLIN, 0};
    while (poll(&readable, 1, kQuiet) == 1) {
      all.append(text.data(), static_cast<std::size_t>(std::max(read(ends_[0], text.data(), text.size()), ssize_t{0})));
    }
    return all;
  }

 private:
  static constexpr int kQuiet = 10;  // ms
  std::array<int, 2> ends_{};
};

std::vector<std::string> split_lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();  // a terminal's
    lines.push_back(line);
  }
  return lines;
}

class StandardErrorTest : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(PipeAndTerminal, StandardErrorTest, ::testing::Bool());

// It fills it: whoever waited for a reader would hang here for ever.
TEST_P(StandardErrorTest, ThatNobodyReadsHoldsNobodyAndTellsWhatItLost) {
  const UnreadOutput output(GetParam());
  Places places;
  places.standard_error_fd = output.write_end();
  Logger logger("compositord", Severity::kInfo, places);
  constexpr std::size_t kLines = 3'000;
  for (std::size_t i = 0; i < kLines; ++i) logger.write(lost());

  // A terminal passes on what it has in its own time, and so has room again in its own time.
  std::string said = output.read_all();
  constexpr std::size_t kTriesMax = 1'000;
  const auto has_room_again = [&said] {
    return said.find(" read.again ") != std::string::npos && said.ends_with('\n');
  };
  for (std::size_t tries = 0; !has_room_again() && tries < kTriesMax; ++tries) {
    logger.write(LogEvent(Severity::kInfo, "read.again").with("lines", std::to_string(kLines + tries)));
    said += output.read_all();
  }

  // Each line before it is there whole, or counted.
  std::size_t counted = 0;
  bool told = false;
  std::smatch number;
  const std::regex again("20.* read\\.again lines=([0-9]+)");
  const std::regex lines_lost("20.* log\\.lines_lost lines=([0-9]+)");
  for (const std::string& line : split_lines(said)) {
    if (std::regex_match(line, number, again)) {
      EXPECT_EQ(number[1], std::to_string(counted));
      EXPECT_TRUE(told);
      return;
    }
    if (std::regex_match(line, number, lines_lost)) {
      counted += std::stoul(number[1]);
      told = true;
      continue;
    }
    ASSERT_THAT(line, MatchesRegex("20[^ ]* compositord [^ ]*warning[^ ]* worker\\.lost id=wall/w1 why=\".*\""));
    ++counted;
  }
  FAIL() << "it has never room again: " << said.size() << " bytes";
}

TEST(StandardError, FinishesALineThatIsLongerThanAPipeTakesAtOnce) {
  const UnreadOutput output(false);
  ASSERT_GT(fcntl(output.write_end(), F_SETPIPE_SZ, 4'096), 0);
  LineOutput lines(output.write_end());
  const std::string first = std::string(10'000, 'a') + '\n';
  EXPECT_TRUE(lines.write(first));
  std::string said = output.read_all();
  EXPECT_EQ(said.size(), 4'096U);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(lines.write("not this\n")) << "the first one has filled it again";
    said += output.read_all();
  }
  EXPECT_TRUE(lines.write("the second\n"));
  EXPECT_EQ(said + output.read_all(), first + "the second\n");
}

class StatusLogTest : public ::testing::Test {
 protected:
  StatusLogTest() {
    places_.standard_error = false;
    places_.file.emplace();
    places_.file->directory = dir_.path() / "made" / "when missing";
    places_.file->try_again_after = std::chrono::milliseconds(0);
  }
  fs::path file(const std::string& name = "compositord.log") const { return places_.file->directory / name; }
  // Writes them and ends the logger, so that all of it is in the file. What it said on standard error.
  std::string write(const std::vector<LogEvent>& events) {
    testing::internal::CaptureStderr();
    {
      Logger logger("compositord", Severity::kInfo, places_);
      for (const LogEvent& event : events) logger.write(event);
    }
    return testing::internal::GetCapturedStderr();
  }

  test::TempDir dir_;
  Places places_;
};

TEST_F(StatusLogTest, MakesItsDirectoryAndWritesALineAnEvent) {
  EXPECT_EQ(write({LogEvent(Severity::kDebug, "not.this"), lost()}), "");
  EXPECT_THAT(lines_of(file()), ElementsAre(MatchesRegex(
                                    "20..-..-..T..:..:..\\....[+-]..:?.. compositord warning worker\\.lost id=wall/w1 "
                                    "why=\"silence\\\\x0afor 3 s\"")));
}

TEST_F(StatusLogTest, AVerdictIsTheSummaryTheIdTheLayerAndTheReason) {
  write({verdict("ok", "", ""), verdict("down", "process", "killed by signal 9"), verdict("unknown", "link", "lost")});
  EXPECT_THAT(lines_of(file()), ElementsAre(MatchesRegex(".* compositord warning COMPOSITE_OK wall/w1"),
                                            MatchesRegex(".* COMPOSITE_ERROR wall/w1 process killed by signal 9"),
                                            MatchesRegex(".* COMPOSITE_ERROR wall/w1 link lost")));
}

TEST_F(StatusLogTest, JsonLines) {
  places_.file->json = true;
  write({lost(), verdict("down", "process", "a \"quoted\" \\ reason\xff")});
  EXPECT_THAT(lines_of(file()),
              ElementsAre(MatchesRegex("\\{\"time\":\"[^\"]*\",\"severity\":\"warning\",\"event\":\"worker.lost\","
                                       "\"id\":\"wall/w1\",\"why\":\"silence\\\\u000afor 3 s\"\\}"),
                          HasSubstr("\"event\":\"verdict.changed\",\"summary\":\"COMPOSITE_ERROR\",\"id\":\"wall/w1\","
                                    "\"to\":\"down\",\"layer\":\"process\","
                                    "\"why\":\"a \\\"quoted\\\" \\\\ reason\\ufffd\"}")));
}

TEST_F(StatusLogTest, RotatesAndKeepsSoManyOldFiles) {
  places_.file->rotate_bytes = 1'024;
  places_.file->rotate_files = 2;
  write(std::vector<LogEvent>(100, lost()));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(places_.file->directory)) {
    names.push_back(entry.path().filename());
    EXPECT_LE(entry.file_size(), 1'024U);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("compositord.log", "compositord.1.log", "compositord.2.log"));
}

TEST_F(StatusLogTest, ADirectoryThatCannotBeMadeIsSaidOnce) {
  std::ofstream(dir_.path() / "made") << "a file";
  const std::string said = write({lost(), lost(), lost()});
  EXPECT_THAT(said, AllOf(HasSubstr("compositord: the status log "), HasSubstr("can't be made: Not a directory"),
                          HasSubstr("it goes on without this log and tries again")));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(StatusLogTest, AFullDiskIsSaidOnceAndTheLogIsWrittenAgainWhenThereIsRoom) {
  fs::create_directories(places_.file->directory);
  fs::create_symlink("/dev/full", file());
  testing::internal::CaptureStderr();
  {
    Logger logger("compositord", Severity::kInfo, places_);
    for (int i = 0; i < 50; ++i) logger.write(lost());
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("No space left on device"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  fs::remove(file());
  EXPECT_EQ(write({lost()}), "");
  EXPECT_EQ(lines_of(file()).size(), 1U);
}

// One logger, over the fault and beyond it: what makes room is the test, in the middle of its life.
TEST_F(StatusLogTest, IsOpenedAgainByTheSameLogger) {
  fs::create_directories(places_.file->directory);
  fs::create_symlink("/dev/full", file());
  StderrPipe said;
  {
    Logger logger("compositord", Severity::kInfo, places_);
    logger.write(lost());
    EXPECT_THAT(said.next(), HasSubstr("No space left on device"));  // it has the full one open
    // Renamed over the symlink in one step: before it or after it, there is always something to write to.
    std::ofstream(dir_.path() / "empty").close();
    fs::rename(dir_.path() / "empty", file());
    for (int i = 0; i < 20; ++i) logger.write(lost());
  }
  EXPECT_EQ(lines_of(file()).size(), 20U);
}

TEST(JournalPlace, GetsTheFieldsOfTheEvent) {
  test::TempDir dir;
  test::DatagramListener journal(dir.path() / "journal");
  Places places;
  places.standard_error = false;
  places.journal_socket = dir.path() / "journal";
  Logger logger("compositord", Severity::kInfo, places);
  logger.write(lost());
  const std::string length("\x0f\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(journal.next(),
            "MESSAGE=worker.lost id=wall/w1 why=\"silence\\x0afor 3 s\"\nPRIORITY=4\n"
            "SYSLOG_IDENTIFIER=compositord\nCOMPOSITORD_EVENT=worker.lost\n"
            "COMPOSITORD_ID=wall/w1\nCOMPOSITORD_WHY\n" +
                length + "silence\nfor 3 s\n");
  logger.write(verdict("down", "process", "killed"));
  EXPECT_THAT(journal.next(), HasSubstr("MESSAGE=COMPOSITE_ERROR wall/w1 process killed\n"));
}

TEST(SyslogPlace, GetsOneLineWithItsPriority) {
  test::TempDir dir;
  test::DatagramListener syslog(dir.path() / "log");
  Places places;
  places.standard_error = false;
  places.syslog_socket = dir.path() / "log";
  Logger logger("compositord", Severity::kInfo, places);
  logger.write(LogEvent(Severity::kError, "store.failed").with("why", "a\nb"));
  EXPECT_EQ(syslog.next(), "<27>compositord[" + std::to_string(getpid()) + "]: store.failed why=a\\x0ab");
}

TEST(DatagramPlaces, AReceiverThatIsNotThereIsSaidOnceAndFoundWhenItComes) {
  test::TempDir dir;
  Places places;
  places.standard_error = false;
  places.syslog_socket = dir.path() / "log";
  testing::internal::CaptureStderr();
  Logger logger("compositord", Severity::kInfo, places);
  for (int i = 0; i < 3; ++i) logger.write(lost());
  test::DatagramListener syslog(dir.path() / "log");
  logger.write(LogEvent(Severity::kInfo, "heard.again"));
  EXPECT_THAT(syslog.next(), HasSubstr("heard.again"));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("/log takes no log lines: No such file or directory"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

// It fills the socket's queue: whoever waited would hang here for ever.
TEST(DatagramPlaces, AReceiverThatDoesNotReadHoldsNobody) {
  test::TempDir dir;
  test::DatagramListener syslog(dir.path() / "log");
  Places places;
  places.standard_error = false;
  places.syslog_socket = dir.path() / "log";
  testing::internal::CaptureStderr();
  Logger logger("compositord", Severity::kInfo, places);
  for (int i = 0; i < 5'000; ++i) logger.write(lost());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("takes no log lines"));
}

TEST(Complaint, IsNewsAgainAfterAThousandGoodLines) {
  testing::internal::CaptureStderr();
  Complaint complaint("p", "so what");
  complaint.failed("a");
  for (int i = 0; i < Complaint::kWellAfter - 1; ++i) complaint.went_well();
  complaint.failed("b");
  for (int i = 0; i < Complaint::kWellAfter; ++i) complaint.went_well();
  complaint.failed("c");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "p: a; so what\np: c; so what\n");
}

}  // namespace
}  // namespace compositord::log
