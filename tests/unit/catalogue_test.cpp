// The kinds of compositor that are known: what we ship, the operator's own, and how a bad entry is told.
#include "broker/config/catalogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

std::string entry(const std::string& name, const std::string& changes = "") {
  return R"({"name":")" + name +
         R"(","kind":"wayland","role":"compositor","executables":["x"],"detected_by":[],"versions_seen":["1"],)" +
         R"("watched":["outputs"],"driven":[])" + changes + "}";
}

const msg::Value* find(const Catalogue& catalogue, const std::string& name) {
  const auto found = std::find_if(catalogue.entries.begin(), catalogue.entries.end(),
                                  [&](const msg::Value& e) { return *e.find("name")->if_string() == name; });
  return found == catalogue.entries.end() ? nullptr : &*found;
}

TEST(Catalogue, WhatWeShipIsGoodAndSorted) {
  const Catalogue shipped = load_catalogue({});
  EXPECT_TRUE(shipped.faults.empty());
  EXPECT_GE(shipped.entries.size(), 20U);
  EXPECT_NE(find(shipped, "sway"), nullptr);
  for (std::size_t i = 1; i < shipped.entries.size(); ++i) {
    EXPECT_LT(*shipped.entries[i - 1].find("name")->if_string(), *shipped.entries[i].find("name")->if_string());
  }
}

TEST(Catalogue, TheOperatorsEntriesAreAddedOrReplaceByName) {
  const test::TempDir dir;
  std::ofstream(dir.path() / "own.json") << "[" << entry("sway") << "," << entry("our-shell") << "]";
  const Catalogue own = load_catalogue(dir.path() / "own.json");
  EXPECT_TRUE(own.faults.empty());
  EXPECT_EQ(own.entries.size(), load_catalogue({}).entries.size() + 1);
  EXPECT_EQ(*find(own, "sway")->find("executables"), msg::Value::array({"x"}));
  EXPECT_NE(find(own, "our-shell"), nullptr);
}

TEST(Catalogue, ABadEntryIsRefusedWithItsPlaceAndTheOthersLoad) {
  Catalogue catalogue;
  add_entries(catalogue,
              "[" + entry("good") + R"(, 7, {"kind":"x11"}, )" + entry("typo", R"(,"driver":[])") + "," +
                  R"({"name":"kind","kind":"mir","role":"compositor"})" + "," +
                  R"({"name":"list","kind":"x11","role":"server","executables":["a",""]})" + "," + entry("last") + "]",
              "own.json");
  EXPECT_EQ(catalogue.entries.size(), 2U);
  ASSERT_EQ(catalogue.faults.size(), 5U);
  EXPECT_EQ(catalogue.faults[0].place, "own.json entry 2");
  EXPECT_EQ(catalogue.faults[0].why, "a map expected");
  EXPECT_EQ(catalogue.faults[1].why, "name: a string of 1 … 64 bytes expected");
  EXPECT_EQ(catalogue.faults[2].place, "own.json entry 4 (typo)");
  EXPECT_NE(catalogue.faults[2].why.find("there is no field \"driver\""), std::string::npos);
  EXPECT_EQ(catalogue.faults[3].why, "kind: one of wayland, x11 expected");
  EXPECT_EQ(catalogue.faults[4].why, "executables[1]: a string expected");
}

TEST(Catalogue, AFileThatIsNoJsonIsToldByLineAndColumnAndOneThatIsMissingToo) {
  Catalogue catalogue;
  add_entries(catalogue, "[\n  {,\n]", "own.json");
  ASSERT_EQ(catalogue.faults.size(), 1U);
  EXPECT_TRUE(catalogue.faults[0].why.starts_with("JSON line 2 column 4")) << catalogue.faults[0].why;
  const Catalogue missing = load_catalogue("/nonexistent/own.json");
  ASSERT_EQ(missing.faults.size(), 1U);
  EXPECT_EQ(missing.faults[0].why, "it can't be read: No such file or directory");
  EXPECT_FALSE(missing.entries.empty());
}

}  // namespace
}  // namespace compositord::broker
