// Runs every scenario of this folder. With COMPOSITORD_REWRITE_GOLDEN=1 in the environment the transcripts are written anew.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/support/scenario.h"

namespace compositord::testing {
namespace {

constexpr std::string_view kCut = "----\n";

std::vector<std::string> scenario_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(COMPOSITORD_GOLDEN_DIR)) {
    if (entry.path().extension() == ".txt" && entry.path().filename() != "CMakeLists.txt") {
      files.push_back(entry.path().stem().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string path_of(const std::string& name) { return std::string(COMPOSITORD_GOLDEN_DIR) + "/" + name + ".txt"; }

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, DoesWhatItsTranscriptSays) {
  const std::string text = read(path_of(GetParam()));
  const std::size_t cut = text.find(kCut);
  const std::string script = text.substr(0, cut);
  const std::string expected = cut == std::string::npos ? "" : text.substr(cut + kCut.size());
  const std::string transcript = Scenario().run(script);
  if (std::getenv("COMPOSITORD_REWRITE_GOLDEN") != nullptr) {
    std::ofstream(path_of(GetParam())) << script << kCut << transcript;
  } else {
    EXPECT_EQ(transcript, expected);
  }
  EXPECT_EQ(transcript.find("ERROR line"), std::string::npos) << transcript;
  EXPECT_FALSE(transcript.empty());
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Golden, ::testing::ValuesIn(scenario_files()),
                         [](const auto& scenario) { return scenario.param; });

// The comparison itself: equal scripts give equal transcripts, and a different broker would be noticed.
TEST(GoldenRunner, TellsScenariosApart) {
  const std::string script = "client-1 > request service=mmi.service body=echo\n";
  EXPECT_EQ(Scenario().run(script), Scenario().run(script));
  EXPECT_NE(Scenario().run(script), Scenario().run("worker-1 > ready echo\n" + script));
  EXPECT_NE(Scenario().run("client-1 > sing\n").find("ERROR line 1"), std::string::npos);
}

}  // namespace
}  // namespace compositord::testing
