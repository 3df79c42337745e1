// EDIDs: what they tell of a monitor, and what no EDID is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/kernel/edid.h"
#include "common/base/random.h"
#include "tests/support/edid_bytes.h"

namespace compositord::agent {
namespace {

using test::edid_bytes;
using test::EdidFields;
using test::with_checksum;
using ::testing::HasSubstr;

TEST(Edid, TellsMakerModelAndSerialNumber) {
  const auto edid = parse_edid(edid_bytes({}));
  ASSERT_TRUE(edid) << edid.error().text;
  EXPECT_EQ(*edid, (Edid{"ACM", "ACME Wall 55", "0x0000002A"}));
}

TEST(Edid, PrefersASerialNumberInText) {
  EdidFields fields;
  fields.serial_text = "CN-0F2X";
  EXPECT_EQ(parse_edid(edid_bytes(fields))->serial, "CN-0F2X");
}

TEST(Edid, TakesATextThatFillsItsDescriptor) {
  EdidFields fields;
  fields.name = "THIRTEEN CHAR";
  EXPECT_EQ(parse_edid(edid_bytes(fields))->model, "THIRTEEN CHAR");
}

TEST(Edid, FallsBackToNumbers) {
  EdidFields fields;
  fields.name = "";
  fields.serial = 0;
  fields.make = "ZZZ";
  EXPECT_EQ(*parse_edid(edid_bytes(fields)), (Edid{"ZZZ", "0xA0B1", ""}));
}

TEST(Edid, LeavesOutAMakerThatIsNone) {
  std::string bytes = edid_bytes({});
  bytes[8] = bytes[9] = '\0';
  EXPECT_EQ(parse_edid(with_checksum(bytes))->make, "");
}

TEST(Edid, MakesTextHarmless) {
  EdidFields fields;
  fields.name = "\x1b[31m\xff";
  EXPECT_EQ(parse_edid(edid_bytes(fields))->model, "\\x1b[31m\\xff");
}

TEST(Edid, IsReadThoughExtensionsFollow) { EXPECT_EQ(parse_edid(edid_bytes({}) + std::string(128, 'x'))->make, "ACM"); }

TEST(Edid, RefusesWhatIsNone) {
  const std::string good = edid_bytes({});
  for (std::size_t size = 0; size < good.size(); ++size) ASSERT_FALSE(parse_edid(good.substr(0, size))) << size;
  std::string bad = good;
  bad[0] = 1;
  EXPECT_THAT(parse_edid(with_checksum(bad)).error().text, HasSubstr("does not begin as one"));
  const auto huge = parse_edid(good + std::string(kEdidBytesMax, '\0'));
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().status, Status::kTooLarge);
}

TEST(Edid, RefusesEachByteThatWasDamaged) {
  const std::string good = edid_bytes({});
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_FALSE(parse_edid(bad)) << i;
  }
}

TEST(Edid, SurvivesArbitraryBytes) {
  const std::uint64_t seed = 20240607;
  Random random(seed);
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = edid_bytes({});
    for (std::uint64_t n = 1 + random.below(40); n > 0; --n) {
      bad[8 + random.below(bad.size() - 8)] = static_cast<char>(random.below(256));
    }
    const auto edid = parse_edid(with_checksum(bad));
    ASSERT_TRUE(edid) << "seed " << seed << " round " << i;
    ASSERT_LE(edid->model.size(), 4U * 13U);
  }
}

}  // namespace
}  // namespace compositord::agent
