#include "tests/support/support_facts.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace compositord::test {

namespace {

using agent::driver_event::CommandFinished;
using agent::driver_event::Described;
using msg::Value;

constexpr std::string_view kAdvice = "; if that is right, run: tools/support_matrix --run BUILD_FOLDER";

struct Fact {
  std::string compositor;
  std::string version;
  std::string name;
  std::string outcome;
  std::string text;  // what was said of it; empty when it went well
};

// "Drivers/EveryCompositor.IsUp/sway" without the names that GoogleTest adds for parameters.
std::string test_name() {
  const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
  const auto plain = [](std::string name) {
    if (const std::size_t slash = name.find('/'); slash != std::string::npos) name.resize(slash);
    return name;
  };
  std::string suite = info->test_suite_name();
  if (info->value_param() != nullptr) suite = suite.substr(suite.find('/') + 1);
  return suite + "." + plain(info->name());
}

void write_down(const Fact& fact, const std::string& folder) {
  std::ofstream file(folder + "/" + std::to_string(::getpid()) + ".jsonl", std::ios::app);
  file << msg::encode_json(Value::map({{"compositor", fact.compositor},
                                       {"version", fact.version},
                                       {"fact", fact.name},
                                       {"outcome", fact.outcome},
                                       {"text", fact.text},
                                       {"test", test_name()}}))
       << '\n';
  EXPECT_TRUE(file.flush()) << "COMPOSITORD_SUPPORT_FACTS: " << folder << " can't be written to";
}

void compare(const Fact& fact) {
  std::ifstream file(COMPOSITORD_SUPPORT_MATRIX);
  const auto matrix = msg::decode_json(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_TRUE(matrix) << COMPOSITORD_SUPPORT_MATRIX << ": " << matrix.error().text;
  const auto entry = [&](std::string_view a, std::string_view b, std::string_view c) {
    const Value found = field(field(*matrix, "compositors", fact.compositor), a, b, c);
    return found.if_string() == nullptr ? std::string("missing") : *found.if_string();
  };
  const std::string where =
      fact.compositor + ", " + fact.name + ": tests/integration/support_matrix.json says otherwise";
  EXPECT_EQ(entry("facts", fact.name, "outcome"), fact.outcome) << where << kAdvice;
  EXPECT_EQ(entry("facts", fact.name, "text"), fact.text.empty() ? "missing" : fact.text) << where << kAdvice;
  // Elsewhere a version may not be known yet: some executables are asked for it.
  if (fact.name == "up") {
    EXPECT_EQ(entry("version", {}, {}), fact.version) << where << kAdvice;
  }
}

void record(const DriverLoop& loop, std::string_view name, std::string outcome, std::string text) {
  if (testing::Test::HasFailure()) return;
  const auto* described = loop.last<Described>();
  ASSERT_NE(described, nullptr) << "a fact of a compositor that was never described: " << name;
  const msg::Manifest& manifest = described->manifest;
  const Fact fact{manifest.name, manifest.version, std::string(name), std::move(outcome), std::move(text)};
  const char* folder = std::getenv("COMPOSITORD_SUPPORT_FACTS");
  folder == nullptr ? compare(fact) : write_down(fact, folder);
}

}  // namespace

void record_seen(const DriverLoop& loop, std::string_view fact) { record(loop, fact, "seen", {}); }

void record_command(const DriverLoop& loop, std::string_view method, const CommandFinished& finished) {
  switch (finished.status) {
    case Status::kDone: return record(loop, method, "read back", {});
    case Status::kFailed: return record(loop, method, "fails", finished.error);
    case Status::kUnsupported: return record(loop, method, "refused", finished.error);
    default: ADD_FAILURE() << method << " ended with no fact about the compositor: " << as_text(finished);
  }
}

void expect_and_record_refusals(DriverLoop& loop, const std::string& output, std::string_view elsewhere) {
  ASSERT_NE(loop.last<Described>(), nullptr);
  const auto commands = loop.last<Described>()->manifest.commands;
  for (const msg::CommandSupport& command : commands) {
    if (command.supported || command.name == elsewhere) continue;
    const CommandFinished refused = loop.run(command.name, on_output(output));
    EXPECT_EQ(refused.status, Status::kUnsupported) << command.name << ": " << as_text(refused);
    EXPECT_EQ(refused.error, command.reason) << command.name;
    record_command(loop, command.name, refused);
  }
}

}  // namespace compositord::test
