// What compositorctl does with the parts of a screenshot, and where it keeps it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/temp_dir.h"
#include "tools/compositorctl/cli.h"
#include "tools/compositorctl/screenshot_file.h"

namespace compositord::ctl {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

const std::string kPng = std::string("\x89PNG\r\n\x1a\n") + "and so on";

msg::Reply part(std::size_t offset, std::string bytes) {
  msg::Reply reply;
  reply.header.more = true;
  reply.result.set("offset", std::uint64_t{offset});
  reply.attachments.emplace_back(std::move(bytes));
  return reply;
}

msg::Value result_with(std::size_t bytes) { return msg::Value::map({{"bytes", std::uint64_t{bytes}}}); }

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(CtlPngParts, ArePutTogetherInTheirOrder) {
  PngParts parts;
  EXPECT_TRUE(parts.add(part(0, kPng.substr(0, 10))));
  EXPECT_TRUE(parts.add(part(10, kPng.substr(10))));
  EXPECT_EQ(parts.finish(result_with(kPng.size())), kPng);
}

TEST(CtlPngParts, OneThatIsMissingIsNoticed) {
  PngParts parts;
  EXPECT_TRUE(parts.add(part(0, kPng.substr(0, 10))));
  const auto added = parts.add(part(12, "x"));
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().text, HasSubstr("behind byte 10"));
  PngParts cut;
  EXPECT_TRUE(cut.add(part(0, kPng)));
  EXPECT_FALSE(cut.finish(result_with(kPng.size() + 1)));
  EXPECT_FALSE(PngParts().finish(msg::Value::map()));
}

TEST(CtlPngParts, WhatIsNoPngIsNotKept) {
  PngParts parts;
  EXPECT_TRUE(parts.add(part(0, "GIF89a, rather")));
  EXPECT_FALSE(parts.finish(result_with(14)));
}

TEST(CtlScreenshotFile, HasANameThatMeansNothingToAShell) {
  EXPECT_THAT(default_file_name("wall-3/wayland-1", "DP-1", UnixMs{1'700'000'000'005}),
              MatchesRegex("wall-3-wayland-1-DP-1-20231114-[0-9]+\\.005\\.png|"
                           "wall-3-wayland-1-DP-1-2023111[35]-[0-9]+\\.005\\.png"));
  EXPECT_THAT(default_file_name("lab/:0", "", UnixMs{0}), testing::StartsWith("lab--0-19"));
  const std::string evil = default_file_name("../x", "$(rm)\n", UnixMs{0});
  EXPECT_EQ(evil.find_first_of("/$()\n "), std::string::npos);
}

TEST(CtlScreenshotFile, IsThereWholeWithTheUsualRightsAndAlone) {
  const test::TempDir dir;
  const std::string path = dir.path().string() + "/a.png";
  const mode_t mask = ::umask(022);
  std::ofstream(path) << "older and longer than the new one";
  ASSERT_TRUE(write_file(path, kPng));
  ::umask(mask);
  EXPECT_EQ(content_of(path), kPng);
  struct stat facts {};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0644U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(CtlScreenshotFile, ThatCannotBeWrittenLeavesNothingBehind) {
  const test::TempDir dir;
  const auto nowhere = write_file(dir.path().string() + "/none/a.png", kPng);
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().text, HasSubstr("No such file"));
  std::filesystem::create_directory(dir.path().string() + "/folder");
  EXPECT_FALSE(write_file(dir.path().string() + "/folder", kPng));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(CtlScreenshotFile, DoesNotReplaceADeviceOrAPipe) {
  const test::TempDir dir;
  const std::string device = dir.path().string() + "/null";
  std::filesystem::create_symlink("/dev/null", device);
  EXPECT_TRUE(write_file(device, kPng));
  EXPECT_TRUE(std::filesystem::is_character_file(device));
}

TEST(CtlScreenshotOptions, BehindTheCommandMeanAFileAndAnOutput) {
  const char* words[] = {"compositorctl", "-o", "json",  "screenshot",  "a/b", "--output",
                         "DP-1",          "-o", "x.png", "--max-width", "320"};
  const CommandLine line = parse_command_line(static_cast<int>(std::size(words)), words);
  ASSERT_FALSE(line.exit_code) << line.text;
  EXPECT_TRUE(line.options.json);
  EXPECT_EQ(line.options.command, Command::kScreenshot);
  EXPECT_EQ(line.options.id, "a/b");
  EXPECT_EQ(line.options.screenshot.output, "DP-1");
  EXPECT_EQ(line.options.screenshot.file, "x.png");
  EXPECT_EQ(line.options.screenshot.max_width, 320U);
  EXPECT_EQ(line.options.screenshot.max_height, 0U);
}

}  // namespace
}  // namespace compositord::ctl
