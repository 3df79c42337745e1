#include "broker/store/sqlite_store.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "broker/store/alert_rows.h"
#include "broker/store/compositor_rows.h"
#include "broker/store/history_rows.h"
#include "broker/store/job_rows.h"
#include "broker/store/set_aside.h"
#include "broker/store/sqlite_database.h"
#include "common/base/check.h"

namespace compositord::broker {

namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "compositord.db";
// "CMPD": tells our file from any other program's SQLite file. Source: sqlite.org/fileformat2.html#application_id
constexpr std::int64_t kApplicationId = 0x434D5044;
constexpr std::string_view kSqliteMagic{"SQLite format 3\0", 16};
// After a burst the write-ahead log shrinks to this size again.
constexpr const char* kJournalSizeLimit = "PRAGMA journal_size_limit = 16777216";

fs::path log_of(const fs::path& file) { return file.string() + "-wal"; }

// So much is read at each start anyway; what lies in more than that shows when it is read.
constexpr std::int64_t kCheckedBytesMax = std::int64_t{128} << 20;

// What SQLite itself would not notice: a short foreign file, a log without its database, which it would delete, and a last
// page that is cut off and reads as zeros. A file with a log beside it may end anywhere, because a crash may have interrupted
// the copying from the log into it. Source: sqlite.org/fileformat2.html#page_size
SqlResult<void> check_bytes(const fs::path& file) {
  constexpr std::size_t kPageSizeAt = 16;
  std::ifstream in(file, std::ios::binary);
  std::string head(kPageSizeAt + 2, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  std::error_code error;
  if (fs::is_directory(file, error)) return sql_fail(SQLITE_CANTOPEN, "it can't be opened: Is a directory");
  const bool has_log = fs::file_size(log_of(file), error) > 0 && !error;
  if (head.empty() && has_log) return sql_fail(SQLITE_CORRUPT, "it is empty or missing, and its log is there");
  if (head.empty()) return {};
  if (head.size() < kPageSizeAt + 2 || !head.starts_with(kSqliteMagic))
    return sql_fail(SQLITE_NOTADB, "file is not a database");
  const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(head[at])); };
  const unsigned written = byte(kPageSizeAt) * 256 + byte(kPageSizeAt + 1);
  const unsigned page_size = written == 1 ? 65'536 : written;
  if (page_size < 512 || !std::has_single_bit(page_size)) return sql_fail(SQLITE_NOTADB, "file is not a database");
  const std::uintmax_t size = fs::file_size(file, error);
  if (has_log || error || size % page_size == 0) return {};
  return sql_fail(SQLITE_CORRUPT, "it is cut off in the middle of a page");
}

// Judges by reading only.
SqlResult<void> check_identity(Database& db, int newest_version) {
  const auto application = db.integer("PRAGMA application_id");
  if (!application) return tl::unexpected<SqlError>(application.error());
  const auto version = db.integer("PRAGMA user_version");
  if (!version) return tl::unexpected<SqlError>(version.error());
  const auto objects = db.integer("SELECT count(*) FROM sqlite_schema");
  if (!objects) return tl::unexpected<SqlError>(objects.error());
  const bool is_new = *application == 0 && *version == 0 && *objects == 0;
  if (!is_new && *application != kApplicationId) {
    return sql_fail(SQLITE_MISMATCH,
                    "it is the database of another program; it was left as it is: move it away or choose another state "
                    "directory");
  }
  if (*version > newest_version) {
    return sql_fail(SQLITE_MISMATCH,
                    fmt::format("it was written by a newer compositord (its schema is version {}, this "
                                "program knows up to {}); start that version, or move the file away",
                                *version, newest_version));
  }
  return {};
}

SqlResult<void> check_size_and_pages(Database& db) {
  const auto bytes = db.integer("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
  if (!bytes) return tl::unexpected<SqlError>(bytes.error());
  return *bytes <= kCheckedBytesMax ? db.check_pages() : SqlResult<void>();
}

// A step that fails is undone when the connection is closed, which its caller then does.
SqlResult<void> migrate_one(Database& db, const Migration& step) {
  if (auto ok = db.exec("BEGIN IMMEDIATE"); !ok) return ok;
  const std::string number =
      fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT", kApplicationId, step.version);
  auto done = db.exec(step.sql);
  if (done) done = db.exec(number.c_str());
  if (done) return done;
  SqlError error = std::move(done.error());
  error.text = fmt::format("the migration to schema version {} failed: {}", step.version, error.text);
  return tl::unexpected<SqlError>(std::move(error));
}

SqlResult<void> migrate(Database& db, std::span<const Migration> migrations) {
  const auto version = db.integer("PRAGMA user_version");
  if (!version) return tl::unexpected<SqlError>(version.error());
  for (const Migration& step : migrations) {
    if (step.version <= *version) continue;
    if (auto ok = migrate_one(db, step); !ok) return ok;
  }
  return {};
}

// A database that is ours, sound as far as its header tells, of the present schema, and durable from here on.
SqlResult<Database> open_store(const fs::path& file, const SqliteStoreOptions& options) {
  if (auto ok = check_bytes(file); !ok) return tl::unexpected<SqlError>(ok.error());
  auto db = Database::open(file, options.busy_timeout);
  if (!db) return db;
  const int newest = options.migrations.empty() ? 0 : options.migrations.back().version;
  // Exclusive before the first read: so no shared-memory index is ever made beside the file.
  auto ok = db->exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
  if (ok) ok = check_identity(*db, newest);
  // FULL: each commit waits until the log is on the disk. Source: sqlite.org/pragma.html#pragma_synchronous
  if (ok) ok = db->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (ok) ok = db->exec(kJournalSizeLimit);
  if (ok) ok = check_size_and_pages(*db);
  if (ok) ok = migrate(*db, options.migrations);
  if (!ok) return tl::unexpected<SqlError>(ok.error());
  db->set_checkpoint_on_close(true);
  return db;
}

// `epoch` is the last run's, 0 when there was none.
SqlResult<StoredState> read_state(Database& db) {
  StoredState state;
  const auto epoch = db.integer("SELECT epoch FROM run");
  if (!epoch) return tl::unexpected<SqlError>(epoch.error());
  if (*epoch == std::numeric_limits<std::int64_t>::max()) {
    return sql_fail(SQLITE_CORRUPT, "the epoch in it is beyond all bounds");
  }
  state.epoch = static_cast<std::uint64_t>(std::max<std::int64_t>(*epoch, 0));
  if (auto ok = read_compositors(db, state.compositors); !ok) return tl::unexpected<SqlError>(ok.error());
  if (auto ok = read_jobs(db, state.jobs); !ok) return tl::unexpected<SqlError>(ok.error());
  if (auto ok = read_alerts(db, state.alerts); !ok) return tl::unexpected<SqlError>(ok.error());
  if (auto ok = read_windows(db, state.windows); !ok) return tl::unexpected<SqlError>(ok.error());
  return state;
}

// Never lowers what is there.
SqlResult<void> write_epoch(Database& db, std::uint64_t epoch) {
  auto statement = db.prepare(
      "INSERT INTO run (only_row, epoch) VALUES (1, ?1) "
      "ON CONFLICT (only_row) DO UPDATE SET epoch = max(epoch, excluded.epoch)");
  if (!statement) return tl::unexpected<SqlError>(statement.error());
  return statement->bind(1, static_cast<std::int64_t>(epoch)).run();
}

// Writes the records of one transaction, each kind by its own rows.
class RecordWriter {
 public:
  static SqlResult<RecordWriter> prepare(Database& db) {
    auto compositors = CompositorRows::prepare(db);
    if (!compositors) return tl::unexpected<SqlError>(compositors.error());
    auto jobs = JobRows::prepare(db);
    if (!jobs) return tl::unexpected<SqlError>(jobs.error());
    auto alerts = AlertRows::prepare(db);
    if (!alerts) return tl::unexpected<SqlError>(alerts.error());
    auto history = HistoryRows::prepare(db);
    if (!history) return tl::unexpected<SqlError>(history.error());
    return RecordWriter(std::move(*compositors), std::move(*jobs), std::move(*alerts), std::move(*history));
  }

  SqlResult<void> write(const Record& record) {
    return std::visit([this](const auto& r) { return write_one(r); }, record);
  }

 private:
  RecordWriter(CompositorRows compositors, JobRows jobs, AlertRows alerts, HistoryRows history)
      : compositors_(std::move(compositors)),
        jobs_(std::move(jobs)),
        alerts_(std::move(alerts)),
        history_(std::move(history)) {}
  SqlResult<void> write_one(const CompositorRecord& record) { return compositors_.write(record); }
  SqlResult<void> write_one(const JobRecord& record) { return jobs_.write(record); }
  SqlResult<void> write_one(const AlertRecord& record) { return alerts_.write(record); }
  SqlResult<void> write_one(const WindowRecord& record) { return alerts_.write(record); }
  SqlResult<void> write_one(const ManifestRevision& record) { return history_.write(record); }
  SqlResult<void> write_one(const StatusChange& record) { return history_.write(record); }
  SqlResult<void> write_one(const BrokerRun& record) { return history_.write(record); }

  CompositorRows compositors_;
  JobRows jobs_;
  AlertRows alerts_;
  HistoryRows history_;
};

// A new directory that only we can read, gone with this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "compositord-XXXXXX").string();
    if (!error && mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const fs::path& path() const noexcept { return path_; }  // empty when none could be made

 private:
  fs::path path_;
};

// What a store holds that can't be written where it is. SQLite needs to write even for reading where a write-ahead log was
// left by a crash, so a copy of both files is opened.
SqlResult<StoredState> read_copy(const fs::path& file, const SqliteStoreOptions& options) {
  const TemporaryDirectory directory;
  if (directory.path().empty()) return sql_fail(SQLITE_CANTOPEN, "there is no room for a copy of it");
  std::error_code error;
  const fs::path copy = directory.path() / kFileName;
  if (!fs::copy_file(file, copy, error) || error) return sql_fail(SQLITE_IOERR, error.message());
  const fs::path log = log_of(file);
  if (fs::exists(log, error) && !fs::copy_file(log, log_of(copy), error))
    return sql_fail(SQLITE_IOERR, error.message());
  fs::permissions(copy, fs::perms::owner_read | fs::perms::owner_write, error);
  auto db = open_store(copy, options);
  if (!db) return tl::unexpected<SqlError>(db.error());
  return read_state(*db);
}

}  // namespace

class SqliteStore::Impl {
 public:
  Impl(fs::path directory, SqliteStoreOptions options)
      : directory_(std::move(directory)), file_(directory_ / kFileName), options_(options) {}

  Result<StoredState> load(UnixMs now) {
    if (auto ok = make_directory(); !ok) return tl::unexpected<Error>(ok.error());
    auto state = read_or_begin_anew();
    if (!state) return state;
    epoch_ = std::max(state->epoch + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(now.ms / 1'000, 0)));
    state->epoch = epoch_;
    loaded_ = true;
    if (db_) {
      auto ok = write_epoch(*db_, epoch_);
      epoch_kept_ = ok.has_value();
      if (!ok) state->warning = cannot_write(ok.error().text);
    }
    if (!state->warning.empty()) state->warning += fmt::format("; this run's epoch {} is not kept", epoch_);
    tell_set_aside();
    return state;
  }

  Result<void> commit(std::span<const StoreWrite> writes) {
    CHECK(loaded_);
    if (writes.empty()) return {};
    if (auto ok = make_usable(); !ok) return ok;
    auto ok = write_all(writes);
    if (!ok && is_damaged(ok.error().code)) {
      if (auto anew = begin_anew(ok.error()); !anew) return anew;
      ok = write_all(writes);
    }
    if (ok) {
      epoch_kept_ = true;
      if (!set_aside_.empty() && set_aside_ != files_set_aside(file_)) tell_set_aside();
      return {};
    }
    db_->roll_back();
    return store_error(ok.error().text);
  }

  Result<StoreRows> read(const StoreQuery& query) {
    CHECK(loaded_);
    if (auto ok = make_usable(); !ok) return tl::unexpected<Error>(ok.error());
    auto rows = std::visit([this](const auto& q) { return read_history(*db_, q); }, query);
    if (rows) return std::move(*rows);
    if (!is_damaged(rows.error().code)) return store_error(explain(rows.error()));
    if (auto anew = begin_anew(rows.error()); !anew) return tl::unexpected<Error>(anew.error());
    return store_error(
        fmt::format("{}; it was set aside as {}, with its history", rows.error().text, set_aside_.back()));
  }

  std::optional<StoreFileNews> take_file_news() { return std::exchange(news_, std::nullopt); }

 private:
  // An open database, and the one that lies at our path.
  Result<void> make_usable() {
    if (db_ && db_->has_moved()) {
      db_->set_checkpoint_on_close(false);  // it would delete the log of whatever lies at that path now
      db_.reset();
      replaced_ = true;
    }
    return db_ ? Result<void>() : reopen();
  }

  tl::unexpected<Error> store_error(const std::string& text) const {
    return fail(Status::kStore, fmt::format("the store {}: {}", file_.string(), text));
  }

  std::string cannot_write(const std::string& why) const {
    return fmt::format("the store {} can't be written: {}; what it holds was read", file_.string(), why);
  }

  Result<void> make_directory() const {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (!error && fs::is_directory(directory_, error) && !error) return {};
    return fail(Status::kStore, fmt::format("the state directory {} can't be made: {}", directory_.string(),
                                            error ? error.message() : "a file of that name is in the way"));
  }

  // Sets db_ when it succeeds.
  SqlResult<StoredState> open_and_read() {
    auto db = open_store(file_, options_);
    if (!db) return tl::unexpected<SqlError>(db.error());
    auto state = read_state(*db);
    if (state) {
      db_.emplace(std::move(*db));
    } else {
      db->set_checkpoint_on_close(false);
    }
    return state;
  }

  // Leaves db_ empty, and says why in a warning, when the store can't be written.
  Result<StoredState> read_or_begin_anew() {
    auto state = open_and_read();
    if (state) return std::move(*state);
    SqlError error = std::move(state.error());
    std::error_code ignored;
    if (is_cannot_write(error.code) && fs::file_size(file_, ignored) > 0 && !ignored) {
      auto copy = read_copy(file_, options_);
      if (copy) {
        copy->warning = cannot_write(error.text);
        return std::move(*copy);
      }
      if (is_damaged(copy.error().code)) error = std::move(copy.error());
    }
    if (!is_damaged(error.code)) return store_error(explain(error));
    // A bus without its store is worth more than none.
    StoredState empty;
    if (auto anew = begin_anew(error); !anew) {
      if (anew.error().status == Status::kConflict) return tl::unexpected<Error>(anew.error());
      empty.warning = anew.error().text + "; the bus goes on from memory";
    }
    return empty;
  }

  static std::string explain(const SqlError& error) {
    if ((error.code & 0xff) != SQLITE_BUSY) return error.text;
    return "another program has it open, perhaps a second compositord with the same state directory";
  }

  // The damaged file out of the way, and a new one in its place.
  Result<void> begin_anew(const SqlError& damage) {
    if (auto ok = move_damaged(damage); !ok) return ok;
    return reopen();
  }

  Result<void> move_damaged(const SqlError& damage) {
    if (db_) db_->set_checkpoint_on_close(false);
    db_.reset();
    replaced_ = true;
    const Result<fs::path> moved = set_aside(file_);
    if (moved) {
      set_aside_why_ = damage.text;
      return {};
    }
    return fail(moved.error().status, fmt::format("the store {} is damaged ({}) and can't be set aside: {}",
                                                  file_.string(), damage.text, moved.error().text));
  }

  // The directory came back, the file system is writable again, or the file was deleted under us.
  Result<void> reopen() {
    if (auto ok = make_directory(); !ok) return ok;
    auto db = open_store(file_, options_);
    if (!db && is_damaged(db.error().code)) {  // it could not be set aside before
      if (auto ok = move_damaged(db.error()); !ok) return ok;
      db = open_store(file_, options_);
    }
    if (!db) return store_error(explain(db.error()));
    db_.emplace(std::move(*db));
    epoch_kept_ = false;
    if (replaced_) tell_set_aside();
    return {};
  }

  void tell_set_aside() {
    set_aside_ = files_set_aside(file_);
    if (!news_) news_.emplace();
    news_->set_aside = set_aside_;
    if (!set_aside_why_.empty()) news_->why = std::exchange(set_aside_why_, {});
    // What load() gave is all that there is.
    if (db_) news_->replaced |= std::exchange(replaced_, false) && loaded_;
  }

  SqlResult<void> write_all(std::span<const StoreWrite> writes) {
    if (auto ok = db_->exec("BEGIN IMMEDIATE"); !ok) return ok;
    if (!epoch_kept_) {
      if (auto ok = write_epoch(*db_, epoch_); !ok) return ok;
    }
    {
      auto writer = RecordWriter::prepare(*db_);
      if (!writer) return tl::unexpected<SqlError>(writer.error());
      for (const StoreWrite& write : writes) {
        if (auto ok = writer->write(write.record); !ok) return ok;
      }
    }
    return db_->exec("COMMIT");
  }

  fs::path directory_;
  fs::path file_;
  SqliteStoreOptions options_;
  std::optional<Database> db_;  // empty while the store can't be written
  std::uint64_t epoch_ = 0;
  bool epoch_kept_ = false;
  bool loaded_ = false;
  bool replaced_ = false;               // the file at our path lacks what this run has kept, or will
  std::vector<std::string> set_aside_;  // beside it, as last told
  std::string set_aside_why_;           // what is to be told yet
  std::optional<StoreFileNews> news_;
};

SqliteStore::SqliteStore(fs::path directory, SqliteStoreOptions options)
    : impl_(std::make_unique<Impl>(std::move(directory), options)) {}
SqliteStore::~SqliteStore() = default;

Result<StoredState> SqliteStore::load(UnixMs now) { return impl_->load(now); }
Result<void> SqliteStore::commit(std::span<const StoreWrite> writes) { return impl_->commit(writes); }
Result<StoreRows> SqliteStore::read(const StoreQuery& query) { return impl_->read(query); }
std::optional<StoreFileNews> SqliteStore::take_file_news() { return impl_->take_file_news(); }

}  // namespace compositord::broker
