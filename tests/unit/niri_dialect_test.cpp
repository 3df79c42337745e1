// niri's words: what we say, and what we make of its answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>

#include "agent/ipc/line_reload.h"
#include "agent/niri/niri_dialect.h"
#include "common/base/random.h"

namespace compositord::agent::niri {
namespace {

using msg::Value;
using ::testing::HasSubstr;

constexpr const char* kOutputs = R"({"Ok":{"Outputs":{
  "DP-1":{"name":"DP-1","make":"Dell","model":"U2720Q","serial":"F00","physical_size":[600,340],
    "modes":[{"width":3840,"height":2160,"refresh_rate":59997,"is_preferred":true},
             {"width":1920,"height":1080,"refresh_rate":60000,"is_preferred":false}],
    "current_mode":0,"vrr_supported":false,"vrr_enabled":false,
    "logical":{"x":-10,"y":20,"width":1920,"height":1080,"scale":2.0,"transform":"Flipped270"}},
  "eDP-1":{"name":"eDP-1","make":"x","model":"y","serial":null,"physical_size":null,"modes":[],"current_mode":null,
    "logical":null}}}})";

class Niri : public ::testing::Test {
 protected:
  std::string said(const std::string& method, Value params) {
    params.set("output", "DP-1");
    return dialect_.change(*parse_output_command(method, params), KnownOutput{});
  }
  NiriDialect dialect_;
};

TEST_F(Niri, ReadsItsOutputs) {
  const auto outputs = dialect_.parse_outputs(kOutputs);
  ASSERT_TRUE(outputs) << outputs.error().text;
  ASSERT_EQ(outputs->size(), 2U);
  const KnownOutput& dp = outputs->front();
  EXPECT_EQ(dp.output.name, "DP-1");
  EXPECT_EQ(dp.output.serial, "F00");
  EXPECT_EQ(dp.output.current_mode, (msg::Mode{3840, 2160, 59997, true}));
  EXPECT_EQ(dp.output.modes.size(), 2U);
  EXPECT_EQ(dp.output.width_mm, 600U);
  EXPECT_EQ(dp.output.x, -10);
  EXPECT_EQ(dp.output.scale, 2.0);
  EXPECT_EQ(dp.output.transform, msg::Transform::kFlipped270);
  EXPECT_TRUE(dp.active);
  EXPECT_FALSE(outputs->back().active);
  EXPECT_FALSE(outputs->back().output.current_mode);
}

TEST_F(Niri, ReadsItsVersionWithoutTheCommit) {
  EXPECT_EQ(*dialect_.parse_version(R"j({"Ok":{"Version":"25.11 (b35bcae)"}})j"), "25.11");
  EXPECT_EQ(*dialect_.parse_version(R"({"Ok":{"Version":"25.11"}})"), "25.11");
  EXPECT_THAT(dialect_.parse_version(R"({"Err":"busy"})").error().text, HasSubstr("busy"));
  EXPECT_FALSE(dialect_.parse_version(R"({"Ok":"Handled"})"));
  EXPECT_FALSE(dialect_.parse_version("[]"));
}

TEST_F(Niri, SaysAChangeAsItsDocumentationHasIt) {
  const Value size = Value::map({{"width_px", 1920}, {"height_px", 1080}});
  Value exact = size;
  exact.set("refresh_mhz", Value(59951));
  const std::string whole = R"({"Output":{"output":"DP-1","action":)"
                            R"({"Mode":{"mode":{"Specific":{"width":1920,"height":1080,"refresh":null}}}}}})";
  EXPECT_EQ(said("output.mode", size), whole + "\n");
  EXPECT_THAT(said("output.mode", exact), HasSubstr(R"("refresh":59.951)"));
  EXPECT_THAT(said("output.scale", Value::map({{"scale", 1.5}})),
              HasSubstr(R"("action":{"Scale":{"scale":{"Specific":1.5}}})"));
  EXPECT_THAT(said("output.position", Value::map({{"x", -1}, {"y", 2}})),
              HasSubstr(R"("action":{"Position":{"position":{"Specific":{"x":-1,"y":2}}}})"));
  EXPECT_THAT(said("output.transform", Value::map({{"transform", "flipped-90"}})),
              HasSubstr(R"("action":{"Transform":{"transform":"Flipped90"}})"));
  EXPECT_THAT(said("output.enable", Value::map()), HasSubstr(R"("action":"On")"));
  EXPECT_THAT(said("output.disable", Value::map()), HasSubstr(R"("action":"Off")"));
}

TEST_F(Niri, TellsWhatIsNoSuccess) {
  EXPECT_EQ(*dialect_.parse_refusal(R"({"Ok":{"OutputConfigChanged":"Applied"}})"), "");
  EXPECT_EQ(*dialect_.parse_refusal(R"({"Ok":{"OutputConfigChanged":"OutputWasMissing"}})"),
            "the output is not connected");
  EXPECT_EQ(*dialect_.parse_refusal(R"({"Err":"no such thing"})"), "no such thing");
  EXPECT_FALSE(dialect_.parse_refusal(R"({"Ok":"Handled"})"));
  EXPECT_FALSE(dialect_.parse_refusal("Applied"));
}

TEST_F(Niri, CantPutOneMonitorToSleep) {
  EXPECT_THAT(dialect_.obstacle(OutputMethod::kPower), HasSubstr("all monitors"));
  EXPECT_EQ(dialect_.obstacle(OutputMethod::kDisable), "");
}

TEST_F(Niri, KnowsTheEventsThatFollowOutputs) {
  EXPECT_TRUE(dialect_.parse_event(R"({"WorkspacesChanged":{"workspaces":[]}})")->outputs);
  EXPECT_TRUE(dialect_.parse_event(R"({"ConfigLoaded":{"failed":false}})")->outputs);
  EXPECT_FALSE(dialect_.parse_event(R"({"WindowClosed":{"id":3}})")->outputs);
  EXPECT_FALSE(dialect_.parse_event(R"({"Ok":"Handled"})")->outputs);
  EXPECT_EQ(dialect_.parse_event(R"({"Err":"no"})").error().status, Status::kUnsupported);
  EXPECT_FALSE(dialect_.parse_event("WorkspacesChanged"));
}

TEST_F(Niri, ReloadsSince2508) {
  EXPECT_THAT(dialect_.reload_obstacle("0.1.9"), HasSubstr("niri 0.1.9 has no request for it"));
  EXPECT_THAT(dialect_.reload_obstacle("25.05.1"), HasSubstr("25.05.1"));
  EXPECT_EQ(dialect_.reload_obstacle("25.08"), "");
  EXPECT_EQ(dialect_.parse_reload_refusal(R"({"Ok":"Handled"})"), std::string());
  EXPECT_EQ(dialect_.parse_reload_refusal(R"({"Err":"no"})"), std::string("no"));
  EXPECT_FALSE(dialect_.parse_reload_refusal("{}"));
  EXPECT_TRUE(dialect_.parse_event(R"({"ConfigLoaded":{"failed":true}})")->reload_failed);
  EXPECT_FALSE(dialect_.parse_event(R"({"ConfigLoaded":{"failed":false}})")->reload_failed);
  EXPECT_TRUE(dialect_.parse_event(R"({"ConfigLoaded":{"failed":false}})")->reloaded);
}

TEST_F(Niri, IsWaitedForWhenItsEventsBeganWithTheLastReload) {
  for (const bool has_event : {false, true}) {
    SCOPED_TRACE(has_event);
    LineReload reload(dialect_);
    DriverOutputs out;
    if (has_event) reload.on_reloaded(false, out);
    reload.begin(1, Value(), {}, Instant(), Instant() + std::chrono::seconds(5), out);
    EXPECT_THAT(reload.take_request(), HasSubstr("LoadConfigFile"));
    reload.on_reply(R"({"Ok":"Handled"})", true, Instant(), out);
    EXPECT_EQ(out.events.empty(), has_event) << "without the event its word has to do";
    if (has_event) reload.on_reloaded(false, out);
    ASSERT_EQ(out.events.size(), 1U);
    const auto& finished = std::get<driver_event::CommandFinished>(out.events.front());
    EXPECT_EQ(finished.status, Status::kDone) << finished.error;
    EXPECT_THAT(*finished.result.find("done")->if_string(),
                HasSubstr(has_event ? "told so by its event" : "does not tell what came of it"));
  }
}

TEST_F(Niri, SurvivesArbitraryChangesOfAnAnswer) {
  const std::string good = kOutputs;
  const std::uint64_t seed = 20240607;
  Random random(seed);
  for (int i = 0; i < 10'000; ++i) {
    std::string bad = good;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      bad[random.below(bad.size())] = static_cast<char>(random.below(256));
    }
    const auto parsed = dialect_.parse_outputs(bad);
    if (!parsed) {
      ASSERT_FALSE(parsed.error().text.empty()) << "seed " << seed << " round " << i;
    }
  }
}

}  // namespace
}  // namespace compositord::agent::niri
