#pragma once
// What the broker remembers across restarts, behind an interface, so that tests can put a failing disk in its place.
//
// Order of calls: load() once, then commit() and read() as often as wanted. One thread at a time; which one may change between
// calls (the broker loads on its main thread and commits on the store's own, see store_thread.h).

#include <optional>
#include <span>

#include "broker/core/record.h"
#include "broker/core/store_query.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::broker {

class Store {
 public:
  virtual ~Store() = default;
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Opens the store, brings it to the present schema, and gives this run its epoch: the greater of "last run's plus one"
  // and `now` in seconds, so that epochs grow even when the store is lost and the clock is right, or the clock is wrong
  // and the store is kept. Where reading works and keeping the epoch does not, the state comes with a warning; so does the
  // empty state of a damaged store that can't be set aside. Errors: kStore, naming the file or directory and why.
  [[nodiscard]] virtual Result<StoredState> load(UnixMs now) = 0;

  // All writes or none. When it returns success the records survive SIGKILL and power loss. After an error the next call
  // tries anew. Errors: kStore, naming the file and why.
  [[nodiscard]] virtual Result<void> commit(std::span<const StoreWrite> writes) = 0;

  // Errors: kStore, naming the file and why.
  [[nodiscard]] virtual Result<StoreRows> read(const StoreQuery& query) = 0;

  // What became of the store's file, once after load(), and after a call that changed it.
  [[nodiscard]] virtual std::optional<StoreFileNews> take_file_news() = 0;
};

}  // namespace compositord::broker
