#pragma once
// What tests of the store's file do with it: write, read, damage, forbid, copy.

#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "broker/store/store.h"
#include "tests/support/temp_dir.h"

namespace compositord::test {

namespace fs = std::filesystem;
using broker::CompositorRecord;
using broker::Store;
using broker::StoredState;
using broker::StoreFileNews;
using broker::StoreWrite;

inline constexpr UnixMs kNow{1'700'000'000'000};

inline Result<void> put(Store& store, const CompositorRecord& r) {
  const StoreWrite write{1, r};
  return store.commit({&write, 1});
}

inline StoredState load_ok(Store& store, UnixMs now = kNow) {
  auto state = store.load(now);
  EXPECT_TRUE(state.has_value()) << state.error().text;
  return state ? std::move(*state) : StoredState{};
}

inline std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

inline void write_file(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

inline fs::path database(const TempDir& dir) { return dir.path() / "compositord.db"; }

inline StoreFileNews news_of(Store& store) {
  auto news = store.take_file_news();
  EXPECT_TRUE(news.has_value());
  return news.value_or(StoreFileNews{});
}

// What permissions forbid, they must forbid to the test too: as root it gives up, for its scope and thread, the power to
// override them.
class AsOrdinaryUser {
 public:
  AsOrdinaryUser() {
    if (geteuid() == 0) setfsuid(kNobody);
  }
  ~AsOrdinaryUser() {
    if (geteuid() == 0) setfsuid(0);
  }
  AsOrdinaryUser(const AsOrdinaryUser&) = delete;
  AsOrdinaryUser& operator=(const AsOrdinaryUser&) = delete;

 private:
  static constexpr uid_t kNobody = 65'534;
};

inline constexpr fs::perms kAllRead = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
inline constexpr fs::perms kAllSearch = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;

inline void make_read_only(const fs::path& directory) {
  for (const auto& entry : fs::directory_iterator(directory)) fs::permissions(entry.path(), kAllRead);
  fs::permissions(directory, kAllRead | kAllSearch);
}

inline void make_writable(const fs::path& directory) {
  fs::permissions(directory, fs::perms::all);
  for (const auto& entry : fs::directory_iterator(directory)) fs::permissions(entry.path(), fs::perms::all);
}

// A copy of the files as a crash leaves them: the last commits are in the write-ahead log only.
inline void copy_crashed_store(const fs::path& from, const fs::path& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

}  // namespace compositord::test
