#include "broker/store/sqlite_database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace compositord::broker {

namespace {

namespace fs = std::filesystem;

// SQLite tries again read-only and then reports that attempt's reason, "no such file"; this gives the first one's.
std::string why_not_opened(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return fmt::format("it can't be opened: {}", std::generic_category().message(errno));
  close(fd);
  return "it can't be opened";
}

}  // namespace

tl::unexpected<SqlError> sql_fail(int code, std::string text) {
  return tl::unexpected<SqlError>(SqlError{code, std::move(text)});
}

bool is_cannot_write(int code) noexcept {
  switch (code & 0xff) {
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_PERM: return true;
    default: return false;
  }
}

bool is_damaged(int code) noexcept { return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB; }

// ---- Database

SqlResult<Database> Database::open(const fs::path& file, std::chrono::milliseconds busy_timeout) {
  sqlite3* raw = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  Database db;
  db.handle_.reset(raw);  // given even on failure, to hold the error
  if (raw == nullptr) return sql_fail(code, sqlite3_errstr(code));
  if (code != SQLITE_OK) return sql_fail(code, why_not_opened(file));
  db.set_checkpoint_on_close(false);
  sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  if (db.is_read_only()) return sql_fail(SQLITE_READONLY, "it may be read but not written");
  return db;
}

SqlResult<Statement> Database::prepare(const char* sql) {
  sqlite3_stmt* raw = nullptr;
  if (auto ok = check(sqlite3_prepare_v2(handle_.get(), sql, -1, &raw, nullptr)); !ok) {
    return tl::unexpected<SqlError>(ok.error());
  }
  return Statement(*this, raw);
}

SqlResult<std::int64_t> Database::integer(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return tl::unexpected<SqlError>(statement.error());
  auto row = statement->step();
  if (!row) return tl::unexpected<SqlError>(row.error());
  return *row ? statement->integer(0) : 0;
}

// Source: sqlite.org/pragma.html#pragma_quick_check
SqlResult<void> Database::check_pages() {
  auto statement = prepare("PRAGMA quick_check(1)");
  if (!statement) return tl::unexpected<SqlError>(statement.error());
  auto row = statement->step();
  if (!row) return tl::unexpected<SqlError>(row.error());
  std::string found = *row ? statement->bytes(0) : std::string();
  if (found == "ok") return {};
  std::replace(found.begin(), found.end(), '\n', ' ');
  return sql_fail(SQLITE_CORRUPT, fmt::format("its pages do not hang together: {}", found));
}

SqlResult<void> Database::exec(const char* sql) {
  return check(sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr));
}

SqlResult<void> Database::check(int code) const {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return {};
  return tl::unexpected<SqlError>(last_error());
}

SqlError Database::last_error() const {
  const int code = sqlite3_extended_errcode(handle_.get());
  std::string text = sqlite3_errmsg(handle_.get());
  const int system_error = sqlite3_system_errno(handle_.get());
  const bool from_system = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_IOERR;
  if (from_system && system_error != 0) text += fmt::format(" ({})", std::generic_category().message(system_error));
  return {code, std::move(text)};
}

void Database::roll_back() {
  if (sqlite3_get_autocommit(handle_.get()) == 0) sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Database::has_moved() {
  int moved = 0;
  return sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

bool Database::is_read_only() const { return sqlite3_db_readonly(handle_.get(), "main") == 1; }

void Database::set_checkpoint_on_close(bool enable) {
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, enable ? 0 : 1, nullptr);
}

// ---- Statement

Statement& Statement::bind(int index, std::int64_t value) {
  note(sqlite3_bind_int64(stmt_.get(), index, value));
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
  note(sqlite3_bind_text64(stmt_.get(), index, value.data(), value.size(), nullptr, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  note(sqlite3_bind_blob64(stmt_.get(), index, value.data(), value.size(), nullptr));
  return *this;
}

SqlResult<bool> Statement::step() {
  if (bind_code_ != SQLITE_OK) return sql_fail(bind_code_, sqlite3_errstr(bind_code_));
  const int code = sqlite3_step(stmt_.get());
  if (auto ok = db_->check(code); !ok) return tl::unexpected<SqlError>(ok.error());
  return code == SQLITE_ROW;
}

SqlResult<void> Statement::run() {
  auto row = step();
  sqlite3_reset(stmt_.get());
  if (!row) return tl::unexpected<SqlError>(row.error());
  return {};
}

std::int64_t Statement::integer(int column) { return sqlite3_column_int64(stmt_.get(), column); }

std::string Statement::bytes(int column) {
  const void* data = sqlite3_column_blob(stmt_.get(), column);
  const int size = sqlite3_column_bytes(stmt_.get(), column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

void Statement::note(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

SqlResult<std::vector<Statement>> prepare_all(Database& db, std::initializer_list<const char*> texts) {
  std::vector<Statement> statements;
  statements.reserve(texts.size());
  for (const char* text : texts) {
    auto statement = db.prepare(text);
    if (!statement) return tl::unexpected<SqlError>(statement.error());
    statements.push_back(std::move(*statement));
  }
  return statements;
}

}  // namespace compositord::broker
