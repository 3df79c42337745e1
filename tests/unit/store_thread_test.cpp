// The store's own thread: every write is answered once, and a slow or dead disk holds up nobody.
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "broker/store/sqlite_store.h"
#include "broker/store/store_thread.h"
#include "tests/support/faulty_store.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

using test::FaultyStore;
using test::StoreFaults;

constexpr Duration kPatience = std::chrono::seconds(20);  // only a failing test waits that long

StoreWrite write_of(std::uint64_t commit_id, const std::string& id, std::uint64_t revision = 1,
                    std::size_t bytes = 10) {
  CompositorRecord record;
  record.id = id;
  record.revision = revision;
  record.manifest = std::string(bytes, 'm');
  return StoreWrite{commit_id, std::move(record)};
}

bool is_readable(const StoreThread& thread, int timeout_ms) {
  pollfd fd{thread.event_fd(), POLLIN, 0};
  return poll(&fd, 1, timeout_ms) == 1;
}

// Waits for `count` completions, each by the event descriptor.
std::map<std::uint64_t, Result<void>> wait_done(StoreThread& thread, std::size_t count) {
  std::map<std::uint64_t, Result<void>> all;
  while (all.size() < count && is_readable(thread, 20'000)) {
    for (StoreDone& done : thread.drain()) {
      EXPECT_EQ(all.count(done.commit_id), 0U) << "commit " << done.commit_id << " is done twice";
      all.emplace(done.commit_id, std::move(done.outcome));
    }
  }
  EXPECT_EQ(all.size(), count);
  return all;
}

struct Bench {
  std::shared_ptr<StoreFaults> faults = std::make_shared<StoreFaults>();
  std::unique_ptr<StoreThread> thread;
  explicit Bench(StoreQueueLimits limits = {}) {
    auto store = std::make_unique<FaultyStore>(faults);
    EXPECT_TRUE(store->load(UnixMs{}).has_value());
    auto started = StoreThread::start(std::move(store), limits);
    EXPECT_TRUE(started.has_value());
    thread = std::move(*started);
  }
  // A disk that hangs on one write with commit id 0; everything after it is queued.
  void hang() {
    faults->block();
    thread->submit(write_of(0, "first/:0"));
    ASSERT_TRUE(faults->wait_until_blocked(kPatience));
  }
  ~Bench() { faults->release(); }
};

TEST(StoreThread, EveryWriteIsDoneOnceAndTheDescriptorIsQuietAfterwards) {
  Bench bench;
  EXPECT_FALSE(is_readable(*bench.thread, 0));
  for (std::uint64_t i = 0; i < 500; ++i) bench.thread->submit(write_of(i, "wall-" + std::to_string(i % 7) + "/:0", i));
  for (const auto& done : wait_done(*bench.thread, 500)) EXPECT_TRUE(done.second.has_value());
  EXPECT_FALSE(is_readable(*bench.thread, 0));
  EXPECT_TRUE(bench.thread->drain().empty());
}

TEST(StoreThread, AHangingDiskHoldsUpNeitherSubmitNorDrain) {
  Bench bench;
  bench.hang();
  for (std::uint64_t i = 1; i <= 100; ++i) bench.thread->submit(write_of(i, "wall-" + std::to_string(i) + "/:0"));
  EXPECT_TRUE(bench.thread->drain().empty());
  EXPECT_FALSE(is_readable(*bench.thread, 0));
  bench.faults->release();
  wait_done(*bench.thread, 101);
  const auto commits = bench.faults->commits();
  ASSERT_EQ(commits.size(), 2U) << "all that waits goes into one transaction";
  EXPECT_EQ(commits[1].size(), 100U);
}

TEST(StoreThread, WhatIsSubmittedTogetherIsOneTransaction) {
  Bench bench;
  std::uint64_t id = 0;
  for (int i = 0; i < 200; ++i) {
    std::vector<StoreWrite> writes;
    for (const char* name : {"a/:0", "b/:0", "c/:0"}) {
      ++id;
      writes.push_back(write_of(id, name, id));
    }
    bench.thread->submit(std::move(writes));
  }
  wait_done(*bench.thread, id);
  for (const auto& commit : bench.faults->commits()) {
    EXPECT_EQ(commit, (std::vector<std::string>{"a/:0", "b/:0", "c/:0"}));
  }
}

TEST(StoreThread, WritesOfOneCompositorAreOneRecordAndShareItsOutcome) {
  Bench bench;
  bench.hang();
  bench.thread->submit(write_of(1, "a/:0", 1));
  bench.thread->submit(write_of(2, "b/:0", 1));
  bench.thread->submit(write_of(3, "a/:0", 2));
  bench.thread->submit(write_of(4, "a/:0", 3));
  bench.faults->fail_commit(0);
  bench.faults->release();
  const auto done = wait_done(*bench.thread, 5);
  EXPECT_EQ(bench.faults->commits().back(), (std::vector<std::string>{"a/:0", "b/:0"}));
  EXPECT_TRUE(done.at(0).has_value());
  for (const std::uint64_t id : {1U, 2U, 3U, 4U}) EXPECT_FALSE(done.at(id).has_value()) << id;
}

TEST(StoreThread, TheLastOfSeveralWritesIsWhatTheStoreKeeps) {
  const test::TempDir dir;
  auto faults = std::make_shared<StoreFaults>();
  {
    auto store = std::make_unique<FaultyStore>(faults, std::make_unique<SqliteStore>(dir.path()));
    ASSERT_TRUE(store->load(UnixMs{}).has_value());
    auto thread = StoreThread::start(std::move(store));
    ASSERT_TRUE(thread.has_value());
    faults->block();
    (*thread)->submit(write_of(0, "first/:0"));
    ASSERT_TRUE(faults->wait_until_blocked(kPatience));
    for (std::uint64_t revision = 1; revision <= 3; ++revision) (*thread)->submit(write_of(revision, "a/:0", revision));
    faults->release();
    EXPECT_TRUE((*thread)->stop(kPatience));  // commits what is queued and closes the file
  }
  SqliteStore store(dir.path());
  const auto state = store.load(UnixMs{});
  ASSERT_TRUE(state.has_value()) << state.error().text;
  ASSERT_EQ(state->compositors.size(), 2U);
  EXPECT_EQ(state->compositors[0].revision, 3U);
}

TEST(StoreThread, AfterAFailedCommitTheNextIsTriedAnew) {
  Bench bench;
  bench.faults->fail_commit(0);
  bench.thread->submit(write_of(1, "a/:0"));
  const auto first = wait_done(*bench.thread, 1);
  ASSERT_FALSE(first.at(1).has_value());
  EXPECT_EQ(first.at(1).error().status, Status::kStore);
  bench.thread->submit(write_of(2, "a/:0"));
  EXPECT_TRUE(wait_done(*bench.thread, 1).at(2).has_value());
}

TEST(StoreThread, AFullQueueRefusesAtOnceAndHasRoomAgainLater) {
  Bench bench({.writes_max = 3, .bytes_max = 1U << 20U});
  bench.hang();
  bench.thread->submit(write_of(1, "a/:0"));
  bench.thread->submit(write_of(2, "b/:0"));
  bench.thread->submit(write_of(3, "c/:0"));
  auto refused = wait_done(*bench.thread, 1);
  ASSERT_FALSE(refused.at(3).has_value());
  EXPECT_EQ(refused.at(3).error().status, Status::kLimit);
  bench.thread->submit(write_of(4, "a/:0"));  // the same compositor, but one more commit id to remember
  EXPECT_EQ(wait_done(*bench.thread, 1).at(4).error().status, Status::kLimit);
  bench.faults->release();
  wait_done(*bench.thread, 3);
  bench.thread->submit(write_of(5, "c/:0"));
  EXPECT_TRUE(wait_done(*bench.thread, 1).at(5).has_value());
}

TEST(StoreThread, TheQueueIsBoundedInBytesAndAReplacementFreesWhatItReplaces) {
  Bench bench({.writes_max = 1'000, .bytes_max = 100'000});
  bench.hang();
  bench.thread->submit(write_of(1, "a/:0", 1, 60'000));
  bench.thread->submit(write_of(2, "b/:0", 1, 60'000));
  EXPECT_EQ(wait_done(*bench.thread, 1).at(2).error().status, Status::kLimit);
  bench.thread->submit(write_of(3, "a/:0", 2, 90'000));
  bench.thread->submit(write_of(4, "a/:0", 3, 200'000));  // too large even in place of the other
  EXPECT_EQ(wait_done(*bench.thread, 1).at(4).error().status, Status::kLimit);
  bench.faults->release();
  for (const auto& done : wait_done(*bench.thread, 3)) EXPECT_TRUE(done.second.has_value()) << done.first;
}

TEST(StoreThread, AnOrderlyStopCommitsWhatIsQueued) {
  Bench bench;
  bench.hang();
  for (std::uint64_t i = 1; i <= 10; ++i) bench.thread->submit(write_of(i, "wall-" + std::to_string(i) + "/:0"));
  bench.faults->release();
  EXPECT_TRUE(bench.thread->stop(kPatience));
  EXPECT_EQ(bench.thread->drain().size(), 11U);
  bench.thread->submit(write_of(11, "late/:0"));
  const auto late = wait_done(*bench.thread, 1);
  ASSERT_FALSE(late.at(11).has_value());
  EXPECT_EQ(late.at(11).error().status, Status::kLimit);
}

TEST(StoreThread, StopDoesNotWaitForADeadDisk) {
  Bench bench;
  bench.hang();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(bench.thread->stop(std::chrono::milliseconds(20)));
  bench.thread.reset();  // nor does the end of the object
  EXPECT_LT(std::chrono::steady_clock::now() - begin, StoreThread::kStopWait);
  bench.faults->release();
  EXPECT_TRUE(bench.faults->wait_for_commits(1, kPatience));
}

TEST(StoreThread, AReadSeesWhatWasSubmittedBeforeItAlsoBehindABusyDisk) {
  const test::TempDir dir;
  auto faults = std::make_shared<StoreFaults>();
  auto store = std::make_unique<FaultyStore>(faults, std::make_unique<SqliteStore>(dir.path()));
  ASSERT_TRUE(store->load(UnixMs{}));
  auto thread = StoreThread::start(std::move(store));
  ASSERT_TRUE(thread);
  faults->block();
  for (std::uint64_t i = 1; i <= 3; ++i) {
    ManifestRevision revision;
    revision.id = "a/b";
    revision.revision = i;
    revision.hash = std::to_string(i);
    revision.keep = 100;
    (*thread)->submit(StoreWrite{0, revision});
    if (i == 1) {
      ASSERT_TRUE(faults->wait_until_blocked(kPatience));
    }
    if (i >= 2) (*thread)->submit(StoreRead{i, RevisionsQuery{"a/b", {}}});
  }
  faults->release();
  std::size_t answered = 1;
  while (answered < 3 && is_readable(**thread, 20'000)) {
    (*thread)->drain();
    for (const StoreReadDone& done : (*thread)->drain_reads()) {
      ASSERT_TRUE(done.outcome) << done.outcome.error().text;
      EXPECT_EQ(done.read_id, ++answered);
      EXPECT_GE(done.outcome->revisions.size(), done.read_id);
    }
  }
  EXPECT_EQ(answered, 3U);
}

TEST(StoreThread, TooManyReadsAndReadsOfAStoppedStoreAreRefused) {
  StoreQueueLimits limits;
  limits.reads_max = 1;
  Bench bench(limits);
  bench.faults->block();
  bench.thread->submit(write_of(1, "a/b"));
  ASSERT_TRUE(bench.faults->wait_until_blocked(kPatience));
  bench.thread->submit(StoreRead{1, RevisionsQuery{}});
  bench.thread->submit(StoreRead{2, RevisionsQuery{}});
  std::vector<StoreReadDone> done = bench.thread->drain_reads();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].read_id, 2U);
  EXPECT_EQ(done[0].outcome.error().status, Status::kLimit);
  bench.faults->release();
  EXPECT_TRUE(bench.thread->stop(kPatience));
  done = bench.thread->drain_reads();
  ASSERT_EQ(done.size(), 1U) << "what was accepted is still read";
  bench.thread->submit(StoreRead{3, RevisionsQuery{}});
  ASSERT_EQ(bench.thread->drain_reads().size(), 1U);
}

}  // namespace
}  // namespace compositord::broker
