// What the store acknowledged survives SIGKILL at any moment. A child commits through a StoreThread and writes each
// acknowledged revision into a pipe; the parent kills it, reads the pipe to its end, and opens the store.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "broker/store/sqlite_store.h"
#include "broker/store/store_thread.h"
#include "common/base/clock.h"
#include "common/base/random.h"
#include "tests/support/temp_dir.h"

namespace compositord::broker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCompositors = 8;
constexpr int kRounds = 25;

// Small enough that the pipe takes it whole or not at all (PIPE_BUF).
struct Acknowledged {
  std::uint64_t compositor;
  std::uint64_t revision;
};
using Revisions = std::array<std::uint64_t, kCompositors>;

std::string id_of(std::uint64_t compositor) { return "wall-" + std::to_string(compositor) + "/:0"; }

// Every byte follows from id and revision, so that a mixture of two revisions would be seen.
CompositorRecord record_of(std::uint64_t compositor, std::uint64_t revision) {
  Random random(compositor * 1'000'003 + revision);
  CompositorRecord record;
  record.id = id_of(compositor);
  record.revision = revision;
  record.manifest.resize(1 + random.below(20'000));
  for (char& c : record.manifest) c = static_cast<char>(random.next() & 0x7fU);
  record.hash = std::to_string(random.next());
  record.labels = {{"revision", std::to_string(revision)}};
  return record;
}

// The child: commits as fast as it can until it is killed. Never returns.
[[noreturn]] void commit_for_ever(const fs::path& directory, int pipe_fd) {
  auto store = std::make_unique<SqliteStore>(directory);
  auto state = store->load(UnixMs{});
  if (!state) _exit(10);
  Revisions next{};
  for (std::size_t i = 0; i < kCompositors; ++i) {
    for (const CompositorRecord& record : state->compositors) {
      if (record.id == id_of(i)) next[i] = record.revision;
    }
  }
  auto thread = StoreThread::start(std::move(store));
  if (!thread) _exit(11);
  std::map<std::uint64_t, Acknowledged> open;
  for (std::uint64_t commit_id = 0;; ++commit_id) {
    const std::uint64_t compositor = commit_id % kCompositors;
    const std::uint64_t revision = ++next[compositor];
    open[commit_id] = {compositor, revision};
    (*thread)->submit({commit_id, record_of(compositor, revision)});
    // Sometimes several writes wait, sometimes none: batches of all sizes are cut.
    pollfd fd{(*thread)->event_fd(), POLLIN, 0};
    if (poll(&fd, 1, open.size() < 12 ? 0 : -1) < 0) _exit(12);
    for (const StoreDone& done : (*thread)->drain()) {
      if (!done.outcome) _exit(13);
      const Acknowledged acknowledged = open.at(done.commit_id);
      open.erase(done.commit_id);
      if (write(pipe_fd, &acknowledged, sizeof acknowledged) != sizeof acknowledged) _exit(14);
    }
  }
}

// Reads what is in the pipe until `until`, or to its end when that is kNever. False when nothing came in 20 s.
bool read_pipe(int fd, Instant until, Revisions& last) {
  for (;;) {
    const Duration left = until - monotonic_now();
    if (left.count() <= 0) return true;
    timespec wait{};
    wait.tv_sec = until == kNever ? 20 : left.count() / 1'000'000'000;
    wait.tv_nsec = until == kNever ? 0 : left.count() % 1'000'000'000;
    pollfd ready{fd, POLLIN, 0};
    const int polled = ppoll(&ready, 1, &wait, nullptr);
    if (polled == 0) {
      if (until == kNever) return false;
      continue;
    }
    Acknowledged acknowledged{};
    if (read(fd, &acknowledged, sizeof acknowledged) != sizeof acknowledged) return true;
    last.at(acknowledged.compositor) = acknowledged.revision;
  }
}

std::uint64_t seed_from_environment() {
  const char* given = std::getenv("COMPOSITORD_TEST_SEED");
  const std::uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : static_cast<std::uint64_t>(unix_now().ms);
  std::printf("seed %llu (set COMPOSITORD_TEST_SEED to repeat)\n", static_cast<unsigned long long>(seed));
  return seed;
}

struct Child {
  pid_t pid = -1;
  int pipe_fd = -1;
};

Child start_child(const fs::path& directory) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    commit_for_ever(directory, ends[1]);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

// One life of the child: from the first acknowledgement on it is killed after `life`.
void run_round(const fs::path& directory, Duration life, Revisions& last) {
  const Child child = start_child(directory);
  ASSERT_GT(child.pid, 0);
  pollfd ready{child.pipe_fd, POLLIN, 0};
  EXPECT_EQ(poll(&ready, 1, 20'000), 1) << "no commit within 20 s";
  EXPECT_TRUE(read_pipe(child.pipe_fd, monotonic_now() + life, last));
  kill(child.pid, SIGKILL);
  EXPECT_TRUE(read_pipe(child.pipe_fd, kNever, last));
  close(child.pipe_fd);
  int status = 0;
  ASSERT_EQ(waitpid(child.pid, &status, 0), child.pid);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself with code " << WEXITSTATUS(status);
}

void expect_all_there(const fs::path& directory, const Revisions& last) {
  SqliteStore store(directory);
  const auto state = store.load(UnixMs{});
  ASSERT_TRUE(state.has_value()) << state.error().text;
  EXPECT_EQ(state->warning, "");
  std::map<std::string, CompositorRecord> found;
  for (const CompositorRecord& record : state->compositors) found[record.id] = record;
  for (std::uint64_t i = 0; i < kCompositors; ++i) {
    const CompositorRecord& record = found[id_of(i)];
    EXPECT_GE(record.revision, last.at(i)) << id_of(i);
    if (record.revision > 0) {
      EXPECT_EQ(record, record_of(i, record.revision)) << id_of(i) << " is no revision that was ever written";
    }
  }
}

TEST(StoreKill, WhatWasAcknowledgedSurvivesSigkill) {
  Random random(seed_from_environment());
  const test::TempDir dir;
  Revisions last{};
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const Revisions before = last;
    run_round(dir.path(), random.between(Duration{0}, std::chrono::milliseconds(40)), last);
    expect_all_there(dir.path(), last);
    EXPECT_NE(last, before) << "the child did nothing";
  }
}

}  // namespace
}  // namespace compositord::broker
