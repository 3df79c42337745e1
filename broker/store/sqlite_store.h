#pragma once
// The broker's store in one SQLite file, `compositord.db` in the state directory.
//
// The file is held in exclusive locking mode: a second broker on the same directory is refused instead of mixing its
// epochs with ours. Source: sqlite.org/wal.html, sqlite.org/pragma.html#pragma_locking_mode.

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>

#include "broker/store/migrations.h"
#include "broker/store/store.h"

namespace compositord::broker {

struct SqliteStoreOptions {
  // How long to wait for a predecessor that still has the file: a service manager may start us while it ends.
  std::chrono::milliseconds busy_timeout{5'000};
  std::span<const Migration> migrations = store_migrations();
};

class SqliteStore final : public Store {
 public:
  // Touches nothing yet. The directory is made by load() where it is missing.
  explicit SqliteStore(std::filesystem::path directory, SqliteStoreOptions options = {});
  ~SqliteStore() override;

  // Another program's database, or one of a newer schema, is an error and stays as it is. A damaged one is set aside
  // (set_aside.h), and a new one begun; so commit() and read() do, and the records of that commit are in the new one.
  Result<StoredState> load(UnixMs now) override;
  Result<void> commit(std::span<const StoreWrite> writes) override;
  Result<StoreRows> read(const StoreQuery& query) override;
  std::optional<StoreFileNews> take_file_news() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::broker
