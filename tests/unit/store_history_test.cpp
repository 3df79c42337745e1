// History in the SQLite store: manifests that were, status changes, runs; what is forgotten and what never is.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "broker/store/sqlite_database.h"
#include "broker/store/sqlite_store.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

using test::TempDir;

constexpr UnixMs kNow{1'700'000'000'000};

ManifestRevision revision_of(const std::string& id, std::uint64_t revision, const std::string& manifest,
                             std::uint64_t keep = 10) {
  ManifestRevision r;
  r.id = id;
  r.revision = revision;
  r.hash = "hash of " + manifest;
  r.manifest = std::string("\0\xff", 2) + manifest;
  r.name = "sway";
  r.version = "1." + std::to_string(revision);
  r.observed_at = UnixMs{kNow.ms + static_cast<std::int64_t>(revision)};
  r.keep = keep;
  return r;
}

// As it is read in a list.
ManifestRevision listed(ManifestRevision r) {
  r.manifest.clear();
  r.keep = 0;
  return r;
}

StatusChange change_of(const std::string& id, std::uint64_t epoch, std::uint64_t seq, std::int64_t at_ms,
                       msg::Verdict verdict = msg::Verdict::kOk) {
  StatusChange c;
  c.id = id;
  c.epoch = epoch;
  c.seq = seq;
  c.at = UnixMs{at_ms};
  c.verdict = verdict;
  c.layer = "output/DP-1";
  c.reason = "it's \"so\"";
  c.link = msg::Link::kSuspect;
  c.process = msg::Process::kStopped;
  c.progress = msg::Progress::kSlow;
  c.outputs = {{"DP-1", msg::OutputState::kOff, true}, {"HDMI \"1\"", msg::OutputState::kOn, false}};
  return c;
}

class StoreHistory : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.load(kNow)); }
  void write(std::vector<Record> records) {
    std::vector<StoreWrite> writes;
    for (Record& record : records) writes.push_back(StoreWrite{0, std::move(record)});
    const Result<void> done = store_.commit(writes);
    ASSERT_TRUE(done) << done.error().text;
  }
  StoreRows read(const StoreQuery& query) {
    Result<StoreRows> rows = store_.read(query);
    EXPECT_TRUE(rows) << rows.error().text;
    return rows ? std::move(*rows) : StoreRows{};
  }
  static ChangesQuery all_of(std::vector<std::string> ids) {
    ChangesQuery query;
    query.ids = std::move(ids);
    query.until = UnixMs{1'000'000};
    query.rows_max = 1'000;
    return query;
  }

  TempDir dir_;
  SqliteStore store_{dir_.path()};
};

TEST_F(StoreHistory, RevisionsAreListedWithoutAndAskedForWithTheirManifests) {
  const ManifestRevision first = revision_of("a/b", 1, "one");
  const ManifestRevision second = revision_of("a/b", 2, "two");
  write({first, second, revision_of("a/c", 1, "one")});
  EXPECT_EQ(read(RevisionsQuery{"a/b", {}}).revisions, (std::vector{listed(first), listed(second)}));
  const StoreRows one = read(RevisionsQuery{"a/b", {2, 7}});
  ASSERT_EQ(one.revisions.size(), 1U) << "there is no 7";
  EXPECT_EQ(one.revisions[0].manifest, second.manifest);
  EXPECT_EQ(read(RevisionsQuery{"a/none", {}}), StoreRows{});
}

TEST_F(StoreHistory, OldRevisionsGoAndContentsThatNobodyHasAnyMore) {
  write({revision_of("a/c", 1, "shared")});
  for (std::uint64_t i = 1; i <= 5; ++i) write({revision_of("a/b", i, i == 1 ? "shared" : std::to_string(i), 3)});
  const StoreRows rows = read(RevisionsQuery{"a/b", {}});
  ASSERT_EQ(rows.revisions.size(), 3U);
  EXPECT_EQ(rows.revisions.front().revision, 3U);
  EXPECT_EQ(read(RevisionsQuery{"a/c", {1}}).revisions.size(), 1U) << "its content is still another compositor's";
}

TEST_F(StoreHistory, ChangesComeBackAsTheyWereInTheirOrderAndBounded) {
  const StatusChange later = change_of("a/b", 8, 1, 500, msg::Verdict::kMaintenance);
  const StatusChange first = change_of("a/b", 7, 9, 100);
  const StatusChange second = change_of("a/b", 7, 10, 200, msg::Verdict::kDown);
  write({later, second, first, change_of("a/c", 7, 11, 150)});
  EXPECT_EQ(read(all_of({"a/b"})).changes, (std::vector{first, second, later}));
  ChangesQuery query = all_of({"a/b"});
  query.since = UnixMs{200};
  query.until = UnixMs{500};
  EXPECT_EQ(read(query).changes, std::vector{second}) << "since counts, until does not";
  query = all_of({"a/b"});
  query.after_epoch = 7;
  query.after_seq = 10;
  EXPECT_EQ(read(query).changes, std::vector{later});
  query = all_of({"a/b"});
  query.rows_max = 2;
  const StoreRows bounded = read(query);
  EXPECT_EQ(bounded.changes, (std::vector{first, second}));
  EXPECT_TRUE(bounded.more);
}

TEST_F(StoreHistory, APageHasAsManyRowsAsFitIntoAnAnswer) {
  std::vector<Record> records;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    StatusChange change = change_of("a/b", 7, i, 100);
    change.outputs.assign(256, OutputChange{std::string(1'000, 'x'), msg::OutputState::kOn, false});
    records.emplace_back(std::move(change));
  }
  write(std::move(records));
  ChangesQuery query = all_of({"a/b"});
  std::size_t pages = 0;
  std::size_t rows = 0;
  for (StoreRows page; pages == 0 || page.more; ++pages) {
    page = read(query);
    ASSERT_GT(page.changes.size(), 0U);
    ASSERT_LT(page.changes.size(), 20U);
    rows += page.changes.size();
    query.after_epoch = page.changes.back().epoch;
    query.after_seq = page.changes.back().seq;
  }
  EXPECT_EQ(rows, 40U);
  EXPECT_EQ(pages, 3U);
}

TEST_F(StoreHistory, APeriodComesWithTheStateBeforeItAndTheRunsInIt) {
  write({change_of("a/b", 7, 1, 100), change_of("a/b", 7, 2, 200), change_of("a/b", 7, 3, 900),
         change_of("a/c", 7, 4, 300), BrokerRun{7, UnixMs{50}, UnixMs{950}, {}, 0},
         BrokerRun{6, UnixMs{1}, UnixMs{40}, {}, 0}});
  ChangesQuery query = all_of({"a/b", "a/c"});
  query.since = UnixMs{500};
  query.with_before = true;
  const StoreRows rows = read(query);
  EXPECT_EQ(rows.changes,
            (std::vector{change_of("a/b", 7, 2, 200), change_of("a/b", 7, 3, 900), change_of("a/c", 7, 4, 300)}));
  EXPECT_EQ(rows.runs, (std::vector{BrokerRun{7, UnixMs{50}, UnixMs{950}, {}, 0}}));
}

TEST_F(StoreHistory, WhatIsOldIsForgottenButForEachLastState) {
  write({change_of("a/b", 7, 1, 100), change_of("a/b", 7, 2, 200), change_of("a/b", 7, 3, 900),
         change_of("a/c", 7, 4, 100), BrokerRun{6, UnixMs{1}, UnixMs{40}, {}, 0}});
  write({BrokerRun{7, UnixMs{50}, UnixMs{950}, UnixMs{500}, 1'000}});
  EXPECT_EQ(read(all_of({"a/b", "a/c"})).changes,
            (std::vector{change_of("a/b", 7, 2, 200), change_of("a/b", 7, 3, 900), change_of("a/c", 7, 4, 100)}));
  ChangesQuery query = all_of({});
  query.with_before = true;
  EXPECT_EQ(read(query).runs.size(), 1U);
}

TEST_F(StoreHistory, TheCountIsBoundedToo) {
  std::vector<Record> records;
  for (std::uint64_t i = 1; i <= 50; ++i) records.emplace_back(change_of("a/b", 7, i, static_cast<std::int64_t>(i)));
  write(std::move(records));
  write({BrokerRun{7, UnixMs{1}, UnixMs{60}, UnixMs{0}, 10}});
  const StoreRows rows = read(all_of({"a/b"}));
  ASSERT_FALSE(rows.changes.empty());
  EXPECT_LE(rows.changes.size(), 11U);
  EXPECT_EQ(rows.changes.back().seq, 50U);
}

TEST_F(StoreHistory, AManifestOfTheSchemaBeforeIsTheFirstRevision) {
  const TempDir dir;
  {
    auto db = Database::open(dir.path() / "compositord.db", std::chrono::seconds(1));
    ASSERT_TRUE(db);
    for (const Migration& step : store_migrations().first(2)) ASSERT_TRUE(db->exec(step.sql));
    ASSERT_TRUE(db->exec("PRAGMA application_id = 0x434D5044; PRAGMA user_version = 2"));
    ASSERT_TRUE(db->exec("INSERT INTO compositor VALUES ('a/b', x'6279746573', 'h', 4, 5, 6)"));
  }
  SqliteStore store(dir.path());
  ASSERT_TRUE(store.load(kNow));
  const Result<StoreRows> rows = store.read(RevisionsQuery{"a/b", {4}});
  ASSERT_TRUE(rows) << rows.error().text;
  ASSERT_EQ(rows->revisions.size(), 1U);
  EXPECT_EQ(rows->revisions[0].manifest, "bytes");
  EXPECT_EQ(rows->revisions[0].observed_at, UnixMs{5});
}

TEST_F(StoreHistory, ARowThatIsDamagedIsAnErrorThatNamesIt) {
  {
    const TempDir dir;
    SqliteStore store(dir.path());
    ASSERT_TRUE(store.load(kNow));
    const StoreWrite good{0, change_of("a/b", 7, 1, 1)};
    ASSERT_TRUE(store.commit({&good, 1}));
    std::filesystem::copy(dir.path(), dir_.path() / "copy");
  }
  {
    auto db = Database::open(dir_.path() / "copy" / "compositord.db", std::chrono::seconds(1));
    ASSERT_TRUE(db && db->exec("UPDATE status_change SET verdict = 'wonderful'"));
  }
  SqliteStore store(dir_.path() / "copy");
  ASSERT_TRUE(store.load(kNow));
  const Result<StoreRows> rows = store.read(all_of({"a/b"}));
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().status, Status::kStore);
  EXPECT_NE(rows.error().text.find("a/b"), std::string::npos) << rows.error().text;
}

}  // namespace
}  // namespace compositord::broker
