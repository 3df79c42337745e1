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

  // A file that is no database, another program's, or of a newer schema is an error and stays as it is.
  Result<StoredState> load(UnixMs now) override;
  Result<void> commit(std::span<const StoreWrite> writes) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::broker
