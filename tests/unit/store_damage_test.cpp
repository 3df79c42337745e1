// A store whose file is damaged: it is set aside as it is, a new one is begun, and what became of it is told.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "broker/store/set_aside.h"
#include "broker/store/sqlite_store.h"
#include "tests/support/store_files.h"

namespace compositord::broker {
namespace {

namespace fs = std::filesystem;
using test::AsOrdinaryUser;
using test::contents;
using test::copy_crashed_store;
using test::database;
using test::kNow;
using test::load_ok;
using test::make_read_only;
using test::news_of;
using test::put;
using test::TempDir;
using test::write_file;

constexpr std::uint64_t kNowSeconds = 1'700'000'000;

CompositorRecord record(const std::string& id, std::uint64_t revision, std::size_t manifest_bytes = 100) {
  CompositorRecord r;
  r.id = id;
  r.manifest = std::string(manifest_bytes, 'm');
  r.hash = "hash-" + std::to_string(revision);
  r.revision = revision;
  r.labels = {{"site", "berlin"}};
  return r;
}

TEST(DamagedStore, AFileThatIsNoDatabaseIsSetAsideUntouched) {
  for (const std::string& garbage : {std::string("x"), std::string("SQLite format 2"), std::string(100'000, '\x5a'),
                                     std::string("SQLite format 3\0", 16) + std::string(9'000, '\xff')}) {
    const TempDir dir;
    write_file(database(dir), garbage);
    SqliteStore store(dir.path());
    const StoredState state = load_ok(store);
    EXPECT_EQ(state.epoch, kNowSeconds);
    EXPECT_EQ(state.warning, "");
    const StoreFileNews news = news_of(store);
    ASSERT_EQ(news.set_aside.size(), 1U);
    EXPECT_TRUE(news.set_aside[0].starts_with(database(dir).string() + ".corrupt-")) << news.set_aside[0];
    EXPECT_NE(news.why.find("not a database"), std::string::npos) << news.why;
    EXPECT_FALSE(news.replaced);
    EXPECT_EQ(contents(news.set_aside[0]), garbage);
    EXPECT_TRUE(put(store, record("a/:0", 1)).has_value());
  }
}

TEST(DamagedStore, WhatIsSetAsideIsToldAtEachStartAndOnceMoreWhenItIsGone) {
  const TempDir dir;
  write_file(database(dir), "x");
  std::vector<std::string> set_aside;
  {
    SqliteStore store(dir.path());
    load_ok(store);
    set_aside = news_of(store).set_aside;
    ASSERT_EQ(set_aside.size(), 1U);
  }
  SqliteStore store(dir.path());
  load_ok(store);
  EXPECT_EQ(news_of(store), (StoreFileNews{set_aside, "", false}));
  ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
  EXPECT_EQ(store.take_file_news(), std::nullopt);
  fs::remove(set_aside[0]);
  ASSERT_TRUE(put(store, record("a/:0", 2)).has_value());
  EXPECT_EQ(news_of(store), StoreFileNews{});
}

TEST(DamagedStore, TwoDamagedFilesOfOneSecondGetTwoNames) {
  const TempDir dir;
  for (std::size_t count = 1; count <= kSetAsideMax; ++count) {
    write_file(database(dir), "x");
    fs::remove(dir.path() / "compositord.db-wal");
    SqliteStore store(dir.path());
    load_ok(store);
    EXPECT_EQ(news_of(store).set_aside.size(), count);
  }
}

TEST(DamagedStore, WhereNoMoreIsSetAsideItGoesOnFromMemoryUntilThereIsRoom) {
  const TempDir dir;
  const auto earlier = [&](std::size_t i) { return database(dir).string() + ".corrupt-2020010" + std::to_string(i); };
  for (std::size_t i = 0; i < kSetAsideMax; ++i) write_file(earlier(i), "earlier");
  write_file(database(dir), "damaged");
  SqliteStore store(dir.path());
  const StoredState state = load_ok(store);
  EXPECT_NE(state.warning.find("5 damaged files are beside it already"), std::string::npos) << state.warning;
  EXPECT_EQ(news_of(store).set_aside.size(), kSetAsideMax);
  const auto refused = put(store, record("a/:0", 1));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().text.find("can't be set aside"), std::string::npos) << refused.error().text;
  EXPECT_EQ(contents(database(dir)), "damaged");
  fs::remove(earlier(0));
  ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
  const StoreFileNews news = news_of(store);
  EXPECT_TRUE(news.replaced) << "what was in memory until now is not in it";
  ASSERT_EQ(news.set_aside.size(), kSetAsideMax);
  EXPECT_EQ(contents(news.set_aside.back()), "damaged");
}

TEST(DamagedStore, ADamagedFileThatMayNotBeRenamedStaysAndItGoesOnFromMemory) {
  const TempDir dir;
  write_file(database(dir), "damaged");
  make_read_only(dir.path());
  {
    const AsOrdinaryUser user;
    SqliteStore store(dir.path());
    const auto state = store.load(kNow);
    ASSERT_TRUE(state.has_value()) << state.error().text;
    EXPECT_NE(state->warning.find("can't be set aside: Permission denied"), std::string::npos) << state->warning;
    EXPECT_EQ(state->epoch, kNowSeconds);
    EXPECT_FALSE(put(store, record("a/:0", 1)).has_value());
  }
  EXPECT_EQ(contents(database(dir)), "damaged");
}

TEST(DamagedStore, ALogWithoutItsDatabaseIsSetAside) {
  const TempDir dir;
  const fs::path crashed = dir.path() / "crashed";
  {
    SqliteStore store(dir.path() / "first");
    load_ok(store);
    ASSERT_TRUE(put(store, record("a/:0", 1)).has_value());
    copy_crashed_store(dir.path() / "first", crashed);
  }
  const std::string log = contents(crashed / "compositord.db-wal");
  ASSERT_GT(log.size(), 0U);
  fs::remove(crashed / "compositord.db");
  SqliteStore store(crashed);
  load_ok(store);
  const StoreFileNews news = news_of(store);
  ASSERT_EQ(news.set_aside.size(), 1U);
  EXPECT_EQ(contents(news.set_aside[0] + "-wal"), log);
}

TEST(DamagedStore, ATruncatedDatabaseIsSetAsideAtEveryLength) {
  const TempDir dir;
  {
    SqliteStore store(dir.path());
    load_ok(store);
    for (int i = 0; i < 8; ++i)
      ASSERT_TRUE(put(store, record("wall-" + std::to_string(i) + "/:0", 1, 5'000)).has_value());
  }
  const std::string whole = contents(database(dir));
  ASSERT_GT(whole.size(), 40'000U);
  for (std::size_t length = 1; length < whole.size(); length += 997) {
    write_file(database(dir), whole.substr(0, length));
    SqliteStore store(dir.path());
    EXPECT_TRUE(load_ok(store).compositors.empty()) << "cut at byte " << length;
    const StoreFileNews news = news_of(store);
    ASSERT_EQ(news.set_aside.size(), 1U) << "cut at byte " << length;
    EXPECT_EQ(contents(news.set_aside[0]), whole.substr(0, length));
    fs::remove(news.set_aside[0]);
  }
}

// Whatever page is overwritten: it is set aside, or what it held was nothing that is kept.
TEST(DamagedStore, EachPageThatWasOverwrittenIsNoticed) {
  constexpr std::size_t kPage = 4'096;
  const TempDir dir;
  {
    SqliteStore store(dir.path());
    load_ok(store);
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(put(store, record("wall-" + std::to_string(i) + "/:0", 1)).has_value());
  }
  const std::string whole = contents(database(dir));
  ASSERT_GT(whole.size(), 10 * kPage);
  for (std::size_t at = 0; at < whole.size(); at += kPage) {
    std::string damaged = whole;
    damaged.replace(at, kPage, kPage, '\xa5');
    write_file(database(dir), damaged);
    SqliteStore store(dir.path());
    EXPECT_TRUE(load_ok(store).compositors.empty()) << "page at " << at;
    const StoreFileNews news = news_of(store);
    ASSERT_EQ(news.set_aside.size(), 1U) << "page at " << at;
    EXPECT_EQ(contents(news.set_aside[0]), damaged);
    fs::remove(news.set_aside[0]);
  }
}

}  // namespace
}  // namespace compositord::broker
