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
#include <unordered_map>
#include <utility>

#include "broker/store/frames_blob.h"
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

// What SQLite itself would not notice: a short foreign file, and a last page that is cut off and reads as zeros. A file
// with a log beside it may end anywhere, because a crash may have interrupted the copying from the log into it.
// Source: sqlite.org/fileformat2.html#page_size
SqlResult<void> check_bytes(const fs::path& file) {
  constexpr std::size_t kPageSizeAt = 16;
  std::ifstream in(file, std::ios::binary);
  std::string head(kPageSizeAt + 2, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  if (head.empty()) return {};
  if (head.size() < kPageSizeAt + 2 || !head.starts_with(kSqliteMagic))
    return sql_fail(SQLITE_NOTADB, "file is not a database");
  const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(head[at])); };
  const unsigned written = byte(kPageSizeAt) * 256 + byte(kPageSizeAt + 1);
  const unsigned page_size = written == 1 ? 65'536 : written;
  if (page_size < 512 || !std::has_single_bit(page_size)) return sql_fail(SQLITE_NOTADB, "file is not a database");
  std::error_code error;
  const bool has_log = fs::file_size(log_of(file), error) > 0 && !error;
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
  if (!is_new && *application != kApplicationId)
    return sql_fail(SQLITE_NOTADB, "it is the database of another program");
  if (*version > newest_version) {
    return sql_fail(SQLITE_MISMATCH,
                    fmt::format("it was written by a newer compositord (its schema is version {}, this "
                                "program knows up to {}); start that version, or move the file away",
                                *version, newest_version));
  }
  return {};
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
  if (ok) ok = migrate(*db, options.migrations);
  if (!ok) return tl::unexpected<SqlError>(ok.error());
  db->set_checkpoint_on_close(true);
  return db;
}

SqlResult<void> read_labels(Database& db, std::vector<CompositorRecord>& records) {
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < records.size(); ++i) index.emplace(records[i].id, i);
  auto rows = db.prepare("SELECT compositor_id, name, value FROM label");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) return {};
    const auto found = index.find(rows->bytes(0));
    if (found != index.end()) records[found->second].labels.emplace(rows->bytes(1), rows->bytes(2));
  }
}

SqlResult<void> read_jobs(Database& db, std::vector<JobRecord>& jobs) {
  auto rows = db.prepare(
      "SELECT id, service, method, plain, body, idempotent, idem, state, attempts, deadline_ms, created_at_ms, "
      "expires_at_ms, ended_at_ms, status, error, result FROM job ORDER BY id");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) return {};
    JobRecord job;
    job.id = rows->bytes(0);
    auto body = frames_of(rows->bytes(4));
    auto result = frames_of(rows->bytes(15));
    const auto state = msg::enum_from_name<JobState>(rows->bytes(7));
    if (!body || !result || !state) return sql_fail(SQLITE_CORRUPT, fmt::format("the job {} can't be read", job.id));
    job.service = rows->bytes(1);
    job.method = rows->bytes(2);
    job.plain = rows->integer(3) != 0;
    job.body = std::move(*body);
    job.idempotent = rows->integer(5) != 0;
    job.idem = rows->bytes(6);
    job.state = *state;
    job.attempts = rows->integer(8);
    job.deadline_ms = rows->integer(9);
    job.created_at = UnixMs{rows->integer(10)};
    job.expires_at = UnixMs{rows->integer(11)};
    job.ended_at = UnixMs{rows->integer(12)};
    job.status = static_cast<std::uint16_t>(rows->integer(13));
    job.error = rows->bytes(14);
    job.result = std::move(*result);
    jobs.push_back(std::move(job));
  }
}

// `epoch` is the last run's, 0 when there was none.
SqlResult<StoredState> read_state(Database& db) {
  StoredState state;
  const auto epoch = db.integer("SELECT epoch FROM run");
  if (!epoch) return tl::unexpected<SqlError>(epoch.error());
  state.epoch = static_cast<std::uint64_t>(std::max<std::int64_t>(*epoch, 0));
  auto rows =
      db.prepare("SELECT id, manifest, hash, revision, observed_at_ms, last_seen_ms FROM compositor ORDER BY id");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) break;
    CompositorRecord record;
    record.id = rows->bytes(0);
    record.manifest = rows->bytes(1);
    record.hash = rows->bytes(2);
    record.revision = static_cast<std::uint64_t>(rows->integer(3));
    record.observed_at = UnixMs{rows->integer(4)};
    record.last_seen = UnixMs{rows->integer(5)};
    state.compositors.push_back(std::move(record));
  }
  if (auto ok = read_labels(db, state.compositors); !ok) return tl::unexpected<SqlError>(ok.error());
  if (auto ok = read_jobs(db, state.jobs); !ok) return tl::unexpected<SqlError>(ok.error());
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

// The statements of one transaction, prepared once for all its records.
class RecordWriter {
 public:
  static SqlResult<RecordWriter> prepare(Database& db) {
    auto put = db.prepare(
        "INSERT INTO compositor (id, manifest, hash, revision, observed_at_ms, last_seen_ms) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest, "
        "hash = excluded.hash, revision = excluded.revision, observed_at_ms = excluded.observed_at_ms, "
        "last_seen_ms = excluded.last_seen_ms");
    if (!put) return tl::unexpected<SqlError>(put.error());
    auto drop_labels = db.prepare("DELETE FROM label WHERE compositor_id = ?1");
    if (!drop_labels) return tl::unexpected<SqlError>(drop_labels.error());
    auto put_label = db.prepare("INSERT INTO label (compositor_id, name, value) VALUES (?1, ?2, ?3)");
    if (!put_label) return tl::unexpected<SqlError>(put_label.error());
    auto put_job = db.prepare(
        "INSERT OR REPLACE INTO job (id, service, method, plain, body, idempotent, idem, state, attempts, deadline_ms, "
        "created_at_ms, expires_at_ms, ended_at_ms, status, error, result) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");
    if (!put_job) return tl::unexpected<SqlError>(put_job.error());
    auto drop_job = db.prepare("DELETE FROM job WHERE id = ?1");
    if (!drop_job) return tl::unexpected<SqlError>(drop_job.error());
    return RecordWriter(std::move(*put), std::move(*drop_labels), std::move(*put_label), std::move(*put_job),
                        std::move(*drop_job));
  }

  SqlResult<void> write(const Record& record) {
    return std::visit([this](const auto& r) { return write_one(r); }, record);
  }

 private:
  RecordWriter(Statement put, Statement drop_labels, Statement put_label, Statement put_job, Statement drop_job)
      : put_(std::move(put)),
        drop_labels_(std::move(drop_labels)),
        put_label_(std::move(put_label)),
        put_job_(std::move(put_job)),
        drop_job_(std::move(drop_job)) {}

  SqlResult<void> write_one(const JobRecord& job) {
    if (job.erased) return drop_job_.bind_text(1, job.id).run();
    const std::string body = blob_of(job.body);
    const std::string result = blob_of(job.result);
    put_job_.bind_text(1, job.id).bind_text(2, job.service).bind_text(3, job.method).bind(4, job.plain ? 1 : 0);
    put_job_.bind_blob(5, body).bind(6, job.idempotent ? 1 : 0).bind_text(7, job.idem);
    put_job_.bind_text(8, msg::name_of(job.state)).bind(9, job.attempts).bind(10, job.deadline_ms);
    put_job_.bind(11, job.created_at.ms).bind(12, job.expires_at.ms).bind(13, job.ended_at.ms);
    put_job_.bind(14, job.status).bind_text(15, job.error).bind_blob(16, result);
    return put_job_.run();
  }

  SqlResult<void> write_one(const CompositorRecord& record) {
    put_.bind_text(1, record.id).bind_blob(2, record.manifest).bind_text(3, record.hash);
    put_.bind(4, static_cast<std::int64_t>(record.revision))
        .bind(5, record.observed_at.ms)
        .bind(6, record.last_seen.ms);
    if (auto ok = put_.run(); !ok) return ok;
    if (auto ok = drop_labels_.bind_text(1, record.id).run(); !ok) return ok;
    for (const auto& label : record.labels) {
      put_label_.bind_text(1, record.id).bind_text(2, label.first).bind_text(3, label.second);
      if (auto ok = put_label_.run(); !ok) return ok;
    }
    return {};
  }

  Statement put_;
  Statement drop_labels_;
  Statement put_label_;
  Statement put_job_;
  Statement drop_job_;
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
std::optional<StoredState> read_copy(const fs::path& file, const SqliteStoreOptions& options) {
  const TemporaryDirectory directory;
  if (directory.path().empty()) return std::nullopt;
  std::error_code error;
  const fs::path copy = directory.path() / kFileName;
  if (!fs::copy_file(file, copy, error) || error) return std::nullopt;
  const fs::path log = log_of(file);
  if (fs::exists(log, error) && !fs::copy_file(log, log_of(copy), error)) return std::nullopt;
  fs::permissions(copy, fs::perms::owner_read | fs::perms::owner_write, error);
  auto db = open_store(copy, options);
  if (!db) return std::nullopt;
  auto state = read_state(*db);
  if (!state) return std::nullopt;
  return std::move(*state);
}

}  // namespace

class SqliteStore::Impl {
 public:
  Impl(fs::path directory, SqliteStoreOptions options)
      : directory_(std::move(directory)), file_(directory_ / kFileName), options_(options) {}

  Result<StoredState> load(UnixMs now) {
    if (auto ok = make_directory(); !ok) return tl::unexpected<Error>(ok.error());
    auto state = read_or_read_copy();
    if (!state) return state;
    if (state->epoch >= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return store_error("the epoch in it is beyond all bounds: the file is damaged; move it away");
    }
    epoch_ = std::max(state->epoch + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(now.ms / 1'000, 0)));
    state->epoch = epoch_;
    loaded_ = true;
    if (db_) {
      auto ok = write_epoch(*db_, epoch_);
      epoch_kept_ = ok.has_value();
      if (!ok) state->warning = std::move(ok.error().text);
    }
    if (!state->warning.empty()) {
      state->warning =
          fmt::format("the store {} can't be written: {}; what it holds was read, this run's epoch {} is not kept",
                      file_.string(), state->warning, epoch_);
    }
    return state;
  }

  Result<void> commit(std::span<const StoreWrite> writes) {
    CHECK(loaded_);
    if (writes.empty()) return {};
    if (db_ && db_->has_moved()) {
      db_->set_checkpoint_on_close(false);  // it would delete the log of whatever lies at that path now
      db_.reset();
    }
    if (!db_) {
      if (auto ok = reopen(); !ok) return ok;
    }
    auto ok = write_all(writes);
    if (ok) {
      epoch_kept_ = true;
      return {};
    }
    db_->roll_back();
    return store_error(ok.error().text);
  }

 private:
  tl::unexpected<Error> store_error(const std::string& text) const {
    return fail(Status::kStore, fmt::format("the store {}: {}", file_.string(), text));
  }

  Result<void> make_directory() const {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (!error && fs::is_directory(directory_, error) && !error) return {};
    return fail(Status::kStore, fmt::format("the state directory {} can't be made: {}", directory_.string(),
                                            error ? error.message() : "a file of that name is in the way"));
  }

  // Sets db_ when the store can be written, else leaves it empty and gives the bare reason in the warning.
  Result<StoredState> read_or_read_copy() {
    auto db = open_store(file_, options_);
    if (db) {
      auto state = read_state(*db);
      if (!state) {
        db->set_checkpoint_on_close(false);
        return store_error(explain(state.error()));
      }
      db_.emplace(std::move(*db));
      return std::move(*state);
    }
    const SqlError error = std::move(db.error());
    std::error_code ignored;
    if (is_cannot_write(error.code) && fs::file_size(file_, ignored) > 0 && !ignored) {
      if (auto state = read_copy(file_, options_)) {
        state->warning = error.text;
        return std::move(*state);
      }
    }
    return store_error(explain(error));
  }

  static std::string explain(const SqlError& error) {
    switch (error.code & 0xff) {
      case SQLITE_BUSY:
        return "another program has it open, perhaps a second compositord with the same state directory";
      case SQLITE_CORRUPT: return error.text + "; the file is damaged: move it away or put a good copy in its place";
      case SQLITE_NOTADB: return error.text + "; it was left as it is: move it away or choose another state directory";
      default: return error.text;
    }
  }

  // The directory came back, the file system is writable again, or the file was deleted under us.
  Result<void> reopen() {
    if (auto ok = make_directory(); !ok) return ok;
    auto db = open_store(file_, options_);
    if (!db) return store_error(explain(db.error()));
    db_.emplace(std::move(*db));
    epoch_kept_ = false;
    return {};
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
};

SqliteStore::SqliteStore(fs::path directory, SqliteStoreOptions options)
    : impl_(std::make_unique<Impl>(std::move(directory), options)) {}
SqliteStore::~SqliteStore() = default;

Result<StoredState> SqliteStore::load(UnixMs now) { return impl_->load(now); }
Result<void> SqliteStore::commit(std::span<const StoreWrite> writes) { return impl_->commit(writes); }

}  // namespace compositord::broker
