// Hyprland's words: what we say, and what we make of its answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "agent/hyprland/hyprland_dialect.h"
#include "agent/hyprland/hyprland_instance.h"
#include "common/base/random.h"
#include "tests/support/temp_dir.h"

namespace compositord::agent::hyprland {
namespace {

using msg::Value;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kMonitors = R"([
  {"id": 0, "name": "DP-1", "description": "Dell U2720Q F00", "make": "Dell", "model": "U2720Q", "serial": "F00",
   "width": 2560, "height": 1440, "refreshRate": 59.95100, "x": -2560, "y": 0, "scale": 1.33, "transform": 3,
   "dpmsStatus": false, "disabled": false, "availableModes": ["2560x1440@59.95Hz", "1920x1080@60.00Hz", "nonsense", 7]},
  {"id": -1, "name": "HDMI-A-1", "width": 1920, "height": 1080, "refreshRate": 60.0, "x": 0, "y": 0, "scale": 1.50,
   "transform": 0, "dpmsStatus": true, "disabled": true, "availableModes": []}])";

class Hyprland : public ::testing::Test {
 protected:
  OutputCommand command(const std::string& method, Value params, const std::string& output = "DP-1") {
    params.set("output", output);
    return *parse_output_command(method, params);
  }
  std::string said(const std::string& method, Value params, std::size_t output = 0) {
    const auto outputs = *dialect_.parse_outputs(kMonitors);
    const KnownOutput& before = outputs.at(output);
    return dialect_.change(command(method, std::move(params), before.output.name), before);
  }
  static Value mode(int width, int height) { return Value::map({{"width_px", width}, {"height_px", height}}); }
  HyprlandDialect dialect_;
};

TEST_F(Hyprland, ReadsItsMonitors) {
  const auto outputs = dialect_.parse_outputs(kMonitors);
  ASSERT_TRUE(outputs);
  ASSERT_EQ(outputs->size(), 2U);
  const KnownOutput& dp = outputs->front();
  EXPECT_EQ(dp.output.name, "DP-1");
  EXPECT_EQ(dp.output.make, "Dell");
  EXPECT_EQ(dp.output.serial, "F00");
  EXPECT_EQ(dp.output.current_mode, (msg::Mode{2560, 1440, 59951, false}));
  EXPECT_THAT(dp.output.modes, ElementsAre(msg::Mode{2560, 1440, 59950, false}, msg::Mode{1920, 1080, 60000, false}));
  EXPECT_EQ(dp.output.x, -2560);
  EXPECT_EQ(dp.output.scale, 1.33);
  EXPECT_EQ(dp.output.transform, msg::Transform::k270);
  EXPECT_TRUE(dp.active);
  EXPECT_FALSE(dp.powered);
  EXPECT_FALSE(outputs->back().active);
  EXPECT_FALSE(outputs->back().output.current_mode);
}

TEST_F(Hyprland, ReadsItsVersionOldAndNew) {
  EXPECT_EQ(*dialect_.parse_version(R"({"version": "0.45.2", "tag": "v0.45.2"})"), "0.45.2");
  EXPECT_EQ(*dialect_.parse_version(R"({"tag": "v0.39.1"})"), "0.39.1");
  EXPECT_FALSE(dialect_.parse_version("{}"));
  EXPECT_FALSE(dialect_.parse_version("ok"));
}

TEST_F(Hyprland, ReadsItsDevices) {
  const auto inputs =
      dialect_.parse_inputs(R"({"mice": [{"name": "m"}], "keyboards": [{"name": "k"}, {}], "touch": 7})");
  ASSERT_TRUE(inputs);
  EXPECT_THAT(*inputs, ElementsAre(msg::InputDevice{"m", "pointer"}, msg::InputDevice{"k", "keyboard"}));
}

TEST_F(Hyprland, KeepsTheRestOfARule) {
  EXPECT_EQ(said("output.position", Value::map({{"x", 10}, {"y", -20}})),
            "/keyword monitor DP-1,2560x1440@59.951,10x-20,1.33000,transform,3");
  EXPECT_EQ(said("output.scale", Value::map({{"scale", 2}})),
            "/keyword monitor DP-1,2560x1440@59.951,-2560x0,2.00000,transform,3");
  EXPECT_EQ(said("output.transform", Value::map({{"transform", "flipped-90"}})),
            "/keyword monitor DP-1,2560x1440@59.951,-2560x0,1.33000,transform,5");
}

TEST_F(Hyprland, SetsAModeOfTheListWithItsRefreshRate) {
  EXPECT_EQ(said("output.mode", mode(1920, 1080)),
            "/keyword monitor DP-1,1920x1080@60.000,-2560x0,1.33000,transform,3");
  Value exact = mode(2560, 1440);
  exact.set("refresh_mhz", Value(59951));
  EXPECT_EQ(said("output.mode", exact), "/keyword monitor DP-1,2560x1440@59.951,-2560x0,1.33000,transform,3");
}

TEST_F(Hyprland, SwitchesOutputsAndTheirPower) {
  EXPECT_EQ(said("output.disable", Value::map()), "/keyword monitor DP-1,disable");
  EXPECT_EQ(said("output.enable", Value::map(), 1), "/keyword monitor HDMI-A-1,preferred,auto,1.50000,transform,0");
  EXPECT_EQ(said("output.power", Value::map({{"on", false}})), "/dispatch dpms off DP-1");
  EXPECT_EQ(said("output.power", Value::map({{"on", true}})), "/dispatch dpms on DP-1");
}

TEST_F(Hyprland, AllowsForItsRounding) {
  const auto outputs = *dialect_.parse_outputs(kMonitors);
  Value exact = mode(2560, 1440);
  exact.set("refresh_mhz", Value(59954));  // the list says 59.95
  EXPECT_TRUE(dialect_.find(command("output.mode", exact), outputs));
  exact.set("refresh_mhz", Value(59960));
  const auto refused = dialect_.find(command("output.mode", exact), outputs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, Status::kNotFound);

  KnownOutput output;
  output.output.scale = 1.33;
  EXPECT_TRUE(dialect_.shows_wish(command("output.scale", Value::map({{"scale", 1.3333333}})), output));
  EXPECT_FALSE(dialect_.shows_wish(command("output.scale", Value::map({{"scale", 1.35}})), output));
}

TEST_F(Hyprland, ChangesNothingOfAnOutputThatIsOff) {
  const auto outputs = *dialect_.parse_outputs(kMonitors);
  const auto refused = dialect_.find(command("output.scale", Value::map({{"scale", 2}}), "HDMI-A-1"), outputs);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("output.enable first"));
  EXPECT_TRUE(dialect_.find(command("output.enable", Value::map(), "HDMI-A-1"), outputs));
}

TEST_F(Hyprland, TellsARefusalInItsOwnWords) {
  EXPECT_EQ(*dialect_.parse_refusal("ok"), "");
  EXPECT_EQ(*dialect_.parse_refusal("ok\n"), "");
  EXPECT_EQ(*dialect_.parse_refusal("invalid monitor\x1b[31m"), "invalid monitor\\x1b[31m");
  EXPECT_EQ(*dialect_.parse_refusal(""), "without a word");
}

TEST_F(Hyprland, KnowsTheEventsOfMonitors) {
  for (const char* event :
       {"monitoradded>>DP-1", "monitoraddedv2>>0,DP-1,Dell", "monitorremoved>>DP-1", "configreloaded>>"}) {
    const auto seen = dialect_.parse_event(event);
    ASSERT_TRUE(seen) << event;
    EXPECT_TRUE(seen->outputs) << event;
  }
  EXPECT_FALSE(dialect_.parse_event("workspace>>2")->outputs);
  EXPECT_TRUE(dialect_.parse_event("activelayout>>acme-keyboard,English (US)")->inputs);
  EXPECT_FALSE(dialect_.parse_event("monitoradded DP-1"));
  EXPECT_TRUE(dialect_.parse_event("configreloaded>>")->reloaded);
}

TEST_F(Hyprland, ComplainsOfItsConfigurationInLines) {
  EXPECT_EQ(dialect_.parse_reload_errors("[\n\t\"\"\n]\n"), std::string());
  EXPECT_EQ(dialect_.parse_reload_errors("[]"), std::string());
  EXPECT_EQ(dialect_.parse_reload_errors(R"(["a \"b\"", "", "c"])"), std::string("a \"b\"; c"));
  EXPECT_FALSE(dialect_.parse_reload_errors("{}"));
  EXPECT_FALSE(dialect_.parse_reload_errors("unknown request"));
}

TEST_F(Hyprland, SurvivesArbitraryChangesOfAnAnswer) {
  const std::string good = kMonitors;
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

TEST(HyprlandInstance, IsTheOneWhoseLockNamesTheProcess) {
  const test::TempDir dir;
  const auto make = [&](const char* name, const std::string& lock) {
    const auto folder = dir.path() / "hypr" / name;
    std::filesystem::create_directories(folder);
    if (!lock.empty()) std::ofstream(folder / "hyprland.lock") << lock;
  };
  EXPECT_FALSE(find_instance(dir.path(), 4242));
  make("old", "4242\nwayland-1\n");
  make("newest", "4243\nwayland-2\n");
  make("without", "");
  make("nonsense", "Hyprland\n");
  std::filesystem::create_directories(dir.path() / "hypr" / "folder" / "hyprland.lock");
  const auto found = find_instance(dir.path(), 4242);
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(*found, (dir.path() / "hypr" / "old").string());
  const auto missing = find_instance(dir.path(), 424);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().status, Status::kNotFound);
  EXPECT_THAT(missing.error().text, HasSubstr("process 424"));
  EXPECT_FALSE(find_instance(dir.path(), 0)) << "a pid that nobody knows";
}

}  // namespace
}  // namespace compositord::agent::hyprland
