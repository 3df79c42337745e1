// The store in SQLite: what it keeps, what it refuses, and what it says when the disk does not do as it should.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/store/frames_blob.h"
#include "broker/store/sqlite_store.h"
#include "tests/support/faulty_vfs.h"
#include "tests/support/store_files.h"

namespace compositord::broker {
namespace {

namespace fs = std::filesystem;
using test::AsOrdinaryUser;
using test::contents;
using test::copy_crashed_store;
using test::database;
using test::FaultyVfs;
using test::kNow;
using test::load_ok;
using test::make_read_only;
using test::make_writable;
using test::news_of;
using test::put;
using test::TempDir;
using test::write_file;

constexpr std::uint64_t kNowSeconds = 1'700'000'000;

CompositorRecord record(const std::string& id, std::uint64_t revision, std::size_t manifest_bytes = 100) {
  CompositorRecord r;
  r.id = id;
  r.manifest = std::string(manifest_bytes, static_cast<char>('a' + revision % 26));
  r.manifest[0] = '\0';  // it is bytes, not text
  r.hash = "hash-" + std::to_string(revision);
  r.revision = revision;
  r.observed_at = UnixMs{kNow.ms + static_cast<std::int64_t>(revision)};
  r.last_seen = UnixMs{kNow.ms + 5'000};
  r.labels = {{"site", "berlin"}, {"wall", "lobby " + std::to_string(revision)}};
  return r;
}

SqliteStoreOptions impatient() {
  SqliteStoreOptions options;
  options.busy_timeout = std::chrono::milliseconds(1);
  return options;
}

int newest_version() { return store_migrations().back().version; }

// All steps that there are, and more after them.
std::vector<Migration> migrations_and(std::initializer_list<const char*> more) {
  std::vector<Migration> all(store_migrations().begin(), store_migrations().end());
  for (const char* sql : more) all.push_back({all.back().version + 1, sql});
  return all;
}

TEST(SqliteStore, AnEmptyDirectoryGivesAnEmptyStateAndAnEpochFromTheClock) {
  const TempDir dir;
  SqliteStore store(dir.path() / "made" / "on the way");
  const StoredState state = load_ok(store);
  EXPECT_EQ(state.epoch, kNowSeconds);
  EXPECT_TRUE(state.compositors.empty());
  EXPECT_EQ(state.warning, "");
}

TEST(SqliteStore, WhatIsCommittedIsThereAfterAReopen) {
  const TempDir dir;
  CompositorRecord bare;
  bare.id = "lab/:0";
  bare.revision = ~std::uint64_t{0};
  bare.observed_at = UnixMs{-1};
  const CompositorRecord full = record("wall-3/wayland-1", 7);
  {
    SqliteStore store(dir.path());
    load_ok(store);
    const std::vector<StoreWrite> writes{{1, bare}, {2, full}};
    ASSERT_TRUE(store.commit(writes).has_value());
  }
  SqliteStore again(dir.path());
  EXPECT_EQ(load_ok(again).compositors, (std::vector<CompositorRecord>{bare, full}));
}

TEST(SqliteStore, ALaterWriteReplacesTheWholeRecordAndItsLabels) {
  const TempDir dir;
  CompositorRecord later = record("a/:0", 2);
  later.labels = {{"wall", "new"}};
  {
    SqliteStore store(dir.path());
    load_ok(store);
    ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
    ASSERT_TRUE(put(store, record("b/:0", 1)).has_value());
    ASSERT_TRUE(put(store, later).has_value());
  }
  SqliteStore again(dir.path());
  EXPECT_EQ(load_ok(again).compositors, (std::vector<CompositorRecord>{later, record("b/:0", 1)}));
}

TEST(SqliteStore, TheEpochGrowsEvenWhenTheClockGoesBack) {
  const TempDir dir;
  const std::vector<std::pair<std::int64_t, std::uint64_t>> runs{{kNow.ms, kNowSeconds},
                                                                 {kNow.ms, kNowSeconds + 1},
                                                                 {0, kNowSeconds + 2},
                                                                 {-5'000, kNowSeconds + 3},
                                                                 {kNow.ms + 60'000, kNowSeconds + 60}};
  for (const auto& run : runs) {
    SqliteStore store(dir.path());
    EXPECT_EQ(load_ok(store, UnixMs{run.first}).epoch, run.second);
  }
}

TEST(SqliteStore, AnEpochAtTheEndOfItsRangeIsDamageAndNotAnOverflow) {
  const TempDir dir;
  {
    SqliteStore store(dir.path());
    load_ok(store, UnixMs{std::numeric_limits<std::int64_t>::max()});
  }
  // 2^63 ms are far from 2^63 s, so the greatest epoch is written by hand, as a further migration would.
  const std::vector<Migration> by_hand = migrations_and({"UPDATE run SET epoch = 9223372036854775807"});
  SqliteStoreOptions options;
  options.migrations = by_hand;
  SqliteStore store(dir.path(), options);
  EXPECT_EQ(load_ok(store).epoch, kNowSeconds);
  EXPECT_EQ(news_of(store).why, "the epoch in it is beyond all bounds");
}

TEST(SqliteStore, ASecondBrokerOnTheSameDirectoryIsRefused) {
  const TempDir dir;
  SqliteStore first(dir.path());
  load_ok(first);
  SqliteStore second(dir.path(), impatient());
  const auto state = second.load(kNow);
  ASSERT_FALSE(state.has_value());
  EXPECT_EQ(state.error().status, Status::kStore);
  EXPECT_NE(state.error().text.find(database(dir).string()), std::string::npos);
  EXPECT_NE(state.error().text.find("second compositord"), std::string::npos) << state.error().text;
}

TEST(SqliteStore, MigratesStepByStepAndKeepsWhatIsThere) {
  const TempDir dir;
  {
    SqliteStore store(dir.path());
    load_ok(store);
    ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
  }
  const std::vector<Migration> longer =
      migrations_and({"ALTER TABLE compositor ADD COLUMN note TEXT", "UPDATE compositor SET hash = 'three'"});
  SqliteStoreOptions options;
  options.migrations = longer;
  for (int run = 0; run < 2;
       ++run) {  // the second run has nothing left to do, and the first new step would fail if done twice
    SqliteStore store(dir.path(), options);
    const StoredState state = load_ok(store);
    ASSERT_EQ(state.compositors.size(), 1U);
    EXPECT_EQ(state.compositors[0].hash, "three");
  }
}

TEST(SqliteStore, AFailedMigrationLeavesTheVersionBeforeIt) {
  const TempDir dir;
  {
    SqliteStore store(dir.path());
    load_ok(store);
    ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
  }
  const std::vector<Migration> broken =
      migrations_and({"UPDATE compositor SET hash = 'two'; SELECT nonsense FROM nowhere"});
  SqliteStoreOptions options;
  options.migrations = broken;
  {
    SqliteStore store(dir.path(), options);
    const auto state = store.load(kNow);
    ASSERT_FALSE(state.has_value());
    EXPECT_NE(state.error().text.find(fmt::format("the migration to schema version {} failed", newest_version() + 1)),
              std::string::npos)
        << state.error().text;
  }
  SqliteStore store(dir.path());
  const StoredState state = load_ok(store);
  ASSERT_EQ(state.compositors.size(), 1U);
  EXPECT_EQ(state.compositors[0].hash, "hash-1");
}

// SQLite itself ends a transaction for a full disk, but not for a statement that fails like this one.
TEST(SqliteStore, ACommitIsAllOrNothingAndTheNextOneIsTriedAnew) {
  const TempDir dir;
  const std::vector<Migration> picky =
      migrations_and({"CREATE TRIGGER picky BEFORE INSERT ON compositor WHEN NEW.id = 'bad/:0' "
                      "BEGIN SELECT RAISE(FAIL, 'not this one'); END"});
  SqliteStoreOptions options;
  options.migrations = picky;
  {
    SqliteStore store(dir.path(), options);
    load_ok(store);
    const std::vector<StoreWrite> writes{{1, record("a/:0", 1)}, {2, record("bad/:0", 1)}};
    const auto refused = store.commit(writes);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().text.find("not this one"), std::string::npos) << refused.error().text;
    ASSERT_TRUE(put(store, record("b/:0", 1)).has_value());
  }
  SqliteStore store(dir.path(), options);
  EXPECT_EQ(load_ok(store).compositors, (std::vector<CompositorRecord>{record("b/:0", 1)}));
}

TEST(SqliteStore, ANewerSchemaIsRefusedAndUntouched) {
  const TempDir dir;
  const std::vector<Migration> newer = migrations_and({"", "", "", ""});
  SqliteStoreOptions options;
  options.migrations = newer;
  {
    SqliteStore store(dir.path(), options);
    load_ok(store);
  }
  const std::string before = contents(database(dir));
  SqliteStore store(dir.path());
  const auto state = store.load(kNow);
  ASSERT_FALSE(state.has_value());
  EXPECT_NE(
      state.error().text.find(fmt::format("newer compositord (its schema is version {}, this program knows up to {})",
                                          newest_version() + 4, newest_version())),
      std::string::npos)
      << state.error().text;
  EXPECT_EQ(contents(database(dir)), before);
}

TEST(SqliteStore, TheDatabaseOfAnotherProgramIsRefusedAndUntouched) {
  const TempDir dir;
  // The file's header carries the program's id in bytes 68 to 71. Source: sqlite.org/fileformat2.html
  {
    SqliteStore store(dir.path());
    load_ok(store);
  }
  std::string bytes = contents(database(dir));
  ASSERT_GT(bytes.size(), 100U);
  bytes.replace(68, 4, "XXXX");
  write_file(database(dir), bytes);
  SqliteStore store(dir.path());
  const auto state = store.load(kNow);
  ASSERT_FALSE(state.has_value());
  EXPECT_NE(state.error().text.find("the database of another program"), std::string::npos) << state.error().text;
  EXPECT_EQ(contents(database(dir)), bytes);
}

TEST(SqliteStore, ADirectoryThatCannotBeMadeIsNamedWithTheReason) {
  const TempDir dir;
  const fs::path file = dir.path() / "file";
  write_file(file, "in the way");
  for (const fs::path& bad : {file, file / "below"}) {
    SqliteStore store(bad);
    const auto state = store.load(kNow);
    ASSERT_FALSE(state.has_value());
    EXPECT_EQ(state.error().status, Status::kStore);
    const std::string expected = "the state directory " + bad.string() + " can't be made: Not a directory";
    EXPECT_EQ(state.error().text, expected);
  }
}

TEST(SqliteStore, AReadOnlyDirectoryWithoutAStoreIsAnError) {
  const TempDir dir;
  make_read_only(dir.path());
  const AsOrdinaryUser user;
  SqliteStore store(dir.path());
  const auto state = store.load(kNow);
  ASSERT_FALSE(state.has_value());
  EXPECT_NE(state.error().text.find(database(dir).string()), std::string::npos);
  EXPECT_NE(state.error().text.find("Permission denied"), std::string::npos) << state.error().text;
}

TEST(SqliteStore, AReadOnlyStoreIsReadWithItsLogAndWarnsAndIsWrittenOnceItMay) {
  const TempDir dir;
  const fs::path crashed = dir.path() / "crashed";
  const CompositorRecord kept = record("a/:0", 3);
  std::uint64_t last_epoch = 0;
  {
    SqliteStore store(dir.path() / "first");
    last_epoch = load_ok(store).epoch;
    ASSERT_TRUE(put(store, kept).has_value());
    copy_crashed_store(dir.path() / "first", crashed);
  }
  ASSERT_GT(fs::file_size(crashed / "compositord.db-wal"), 0U);
  make_read_only(crashed);

  auto store = std::make_unique<SqliteStore>(crashed);
  {
    const AsOrdinaryUser user;
    const auto state_or = store->load(kNow);
    ASSERT_TRUE(state_or.has_value()) << state_or.error().text;
    const StoredState& state = *state_or;
    EXPECT_EQ(state.compositors, (std::vector<CompositorRecord>{kept}));
    EXPECT_EQ(state.epoch, last_epoch + 1);
    EXPECT_NE(state.warning.find((crashed / "compositord.db").string()), std::string::npos) << state.warning;
    EXPECT_NE(state.warning.find("can't be written"), std::string::npos) << state.warning;
    const auto refused = put(*store, record("b/:0", 1));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().status, Status::kStore);
  }
  make_writable(crashed);
  {
    const AsOrdinaryUser user;
    ASSERT_TRUE(put(*store, record("b/:0", 1)).has_value());
  }
  // The epoch went in with the first commit that worked.
  store.reset();
  store = std::make_unique<SqliteStore>(crashed);
  const StoredState state = load_ok(*store, UnixMs{0});
  EXPECT_EQ(state.epoch, last_epoch + 2);
  EXPECT_EQ(state.compositors, (std::vector<CompositorRecord>{kept, record("b/:0", 1)}));
}

TEST(SqliteStore, AFileDeletedUnderItIsMadeAnew) {
  const TempDir dir;
  SqliteStore store(dir.path() / "state");
  const std::uint64_t epoch = load_ok(store).epoch;
  ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
  EXPECT_EQ(news_of(store), StoreFileNews{});  // of load()
  fs::remove_all(dir.path() / "state");
  ASSERT_TRUE(put(store, record("a/:0", 2)).has_value());
  EXPECT_EQ(news_of(store), (StoreFileNews{{}, "", true}));
  copy_crashed_store(dir.path() / "state", dir.path() / "copy");
  SqliteStore copy(dir.path() / "copy");
  const StoredState state = load_ok(copy, UnixMs{0});
  EXPECT_EQ(state.epoch, epoch + 1);
  EXPECT_EQ(state.compositors, (std::vector<CompositorRecord>{record("a/:0", 2)}));
}

TEST(SqliteStore, AFullDiskFailsTheCommitWithTheReasonAndTheNextOneIsTriedAnew) {
  FaultyVfs disk;
  const TempDir dir;
  SqliteStore store(dir.path());
  load_ok(store);
  disk.fail_at(0, FaultyVfs::Mode::kFromThenOn, FaultyVfs::Fault::kDiskFull);
  const auto full = put(store, record("a/:0", 1));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().status, Status::kStore);
  EXPECT_NE(full.error().text.find(database(dir).string() + ": database or disk is full"), std::string::npos)
      << full.error().text;
  disk.heal();
  EXPECT_TRUE(put(store, record("a/:0", 2)).has_value());
}

TEST(SqliteStore, AFullDiskAtTheStartStillGivesWhatIsStored) {
  FaultyVfs disk;
  const TempDir dir;
  std::uint64_t last_epoch = 0;
  {
    SqliteStore store(dir.path());
    last_epoch = load_ok(store).epoch;
    ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
  }
  SqliteStore store(dir.path());
  disk.fail_at(1, FaultyVfs::Mode::kFromThenOn, FaultyVfs::Fault::kDiskFull);  // the log's file can still be made
  const StoredState state = load_ok(store);
  EXPECT_EQ(state.compositors.size(), 1U);
  EXPECT_EQ(state.epoch, last_epoch + 1);
  EXPECT_NE(state.warning.find("disk is full"), std::string::npos) << state.warning;
}

// For every operation on the disk that five commits need: it fails, once or from then on; whatever was acknowledged must
// be there afterwards, and nothing may be half there.
class EveryFault : public testing::TestWithParam<std::tuple<FaultyVfs::Mode, FaultyVfs::Fault>> {};

// The revisions acknowledged, by id.
std::map<std::string, std::uint64_t> run_five_commits(const fs::path& directory) {
  std::map<std::string, std::uint64_t> acknowledged;
  SqliteStore store(directory);
  if (!store.load(kNow)) return acknowledged;
  for (std::uint64_t revision = 1; revision <= 5; ++revision) {
    const std::vector<StoreWrite> writes{{1, record("a/:0", revision, 9'000)}, {2, record("b/:0", revision)}};
    if (!store.commit(writes)) continue;
    for (const StoreWrite& write : writes) acknowledged[std::get<CompositorRecord>(write.record).id] = revision;
  }
  return acknowledged;
}

void expect_nothing_lost(const fs::path& directory, const std::map<std::string, std::uint64_t>& acknowledged) {
  SqliteStore store(directory);
  const StoredState state = load_ok(store);
  std::map<std::string, CompositorRecord> found;
  for (const CompositorRecord& r : state.compositors) found[r.id] = r;
  for (const auto& entry : acknowledged) EXPECT_GE(found[entry.first].revision, entry.second) << entry.first;
  EXPECT_EQ(found.count("a/:0"), found.count("b/:0"));
  if (found.empty()) return;
  const std::uint64_t revision = found["a/:0"].revision;
  EXPECT_EQ(found["a/:0"], record("a/:0", revision, 9'000));
  EXPECT_EQ(found["b/:0"], record("b/:0", revision));
}

TEST_P(EveryFault, LosesNothingThatWasAcknowledged) {
  FaultyVfs disk;
  bool failed = true;
  std::size_t index = 0;
  for (; failed; ++index) {
    ASSERT_LT(index, 1'000U);
    const TempDir dir;
    disk.fail_at(index, std::get<0>(GetParam()), std::get<1>(GetParam()));
    const auto acknowledged = run_five_commits(dir.path());
    failed = disk.has_failed();
    disk.heal();
    SCOPED_TRACE("operation " + std::to_string(index));
    expect_nothing_lost(dir.path(), acknowledged);
    if (!failed) {
      EXPECT_EQ(acknowledged.at("a/:0"), 5U);
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(index, 20U) << "there were fewer operations than five durable commits can need";
}

INSTANTIATE_TEST_SUITE_P(SqliteStore, EveryFault,
                         testing::Combine(testing::Values(FaultyVfs::Mode::kOnce, FaultyVfs::Mode::kFromThenOn),
                                          testing::Values(FaultyVfs::Fault::kDiskFull,
                                                          FaultyVfs::Fault::kInputOutput)));

TEST(SqliteStore, KeepsJobsAndForgetsThem) {
  const TempDir dir;
  JobRecord job;
  job.id = "00000000000000070000000000000001";
  job.service = "compositor/wall/w1";
  job.method = "reload";
  job.body = {std::string("\x80\0", 2), "", "attachment"};
  job.idempotent = true;
  job.idem = "night";
  job.state = JobState::kDone;
  job.attempts = 2;
  job.deadline_ms = 10'000;
  job.created_at = kNow;
  job.expires_at = UnixMs{kNow.ms + 1};
  job.ended_at = UnixMs{kNow.ms + 2};
  job.status = 200;
  job.error = "none";
  job.result = {"", std::string("\0", 1)};
  {
    SqliteStore store(dir.path());
    load_ok(store);
    JobRecord earlier = job;
    earlier.state = JobState::kRunning;
    earlier.result.clear();
    for (const JobRecord& record : {earlier, job}) {
      const StoreWrite write{1, record};
      ASSERT_TRUE(store.commit({&write, 1}).has_value());
    }
  }
  {
    SqliteStore store(dir.path());
    EXPECT_EQ(load_ok(store).jobs, std::vector<JobRecord>{job});
    job.erased = true;
    const StoreWrite write{2, job};
    ASSERT_TRUE(store.commit({&write, 1}).has_value());
  }
  SqliteStore store(dir.path());
  EXPECT_TRUE(load_ok(store).jobs.empty());
}

TEST(FramesBlob, RefusesWhatItDidNotWrite) {
  const wire::Frames frames{"", "a", std::string(70'000, 'x')};
  const std::string blob = blob_of(frames);
  EXPECT_EQ(frames_of(blob), frames);
  EXPECT_EQ(frames_of(""), wire::Frames{});
  EXPECT_EQ(frames_of(blob.substr(0, blob.size() - 1)), std::nullopt);
  EXPECT_EQ(frames_of(blob + "abc"), std::nullopt);
}

}  // namespace
}  // namespace compositord::broker
