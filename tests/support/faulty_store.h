#pragma once
// A store that fails or hangs on demand, around another one or around nothing (it then keeps records in memory).

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "broker/store/store.h"
#include "tests/support/kept_records.h"

namespace compositord::test {

// The test's end of it, shared with the store because a StoreThread owns the store. Any thread.
class StoreFaults {
 public:
  // The i-th commit from now on fails, counted from 0.
  void fail_commit(std::size_t index);
  // Commits that begin from now on hang until release().
  void block();
  void release();
  // False when no commit hangs `deadline` from now.
  bool wait_until_blocked(Duration deadline);
  // False when `count` commits have not ended `deadline` from now.
  bool wait_for_commits(std::size_t count, Duration deadline);
  // The compositor ids of each commit, in order, failed ones included.
  std::vector<std::vector<std::string>> commits() const;

 private:
  friend class FaultyStore;
  // True when this commit is to fail.
  bool enter(std::vector<std::string> ids);
  void leave();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::size_t> failing_;
  std::vector<std::vector<std::string>> commits_;
  std::size_t ended_ = 0;
  bool blocking_ = false;
  bool hangs_ = false;
};

class FaultyStore final : public broker::Store {
 public:
  explicit FaultyStore(std::shared_ptr<StoreFaults> faults, std::unique_ptr<broker::Store> inner = nullptr);
  Result<broker::StoredState> load(UnixMs now) override;
  Result<void> commit(std::span<const broker::StoreWrite> writes) override;
  Result<broker::StoreRows> read(const broker::StoreQuery& query) override;
  std::optional<broker::StoreFileNews> take_file_news() override;

 private:
  std::shared_ptr<StoreFaults> faults_;
  std::unique_ptr<broker::Store> inner_;
  KeptRecords records_;
  std::uint64_t epoch_ = 0;
};

}  // namespace compositord::test
