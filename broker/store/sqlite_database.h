#pragma once
// SQLite as values: one connection, its prepared statements, and errors that say what the system said.
// Source: sqlite.org/c3ref/intro.html.

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace compositord::broker {

struct SqlError {
  int code = SQLITE_ERROR;  // extended
  std::string text;
};
template <class T>
using SqlResult = tl::expected<T, SqlError>;

tl::unexpected<SqlError> sql_fail(int code, std::string text);

// The environment's fault, not the file's: the content may still be readable.
bool is_cannot_write(int code) noexcept;
// The file's fault: it will not be readable another time either.
bool is_damaged(int code) noexcept;

class Statement;

// One connection.
class Database {
 public:
  static SqlResult<Database> open(const std::filesystem::path& file, std::chrono::milliseconds busy_timeout);

  SqlResult<void> exec(const char* sql);
  SqlResult<Statement> prepare(const char* sql);
  // The one integer that a PRAGMA or a SELECT answers.
  SqlResult<std::int64_t> integer(const char* sql);
  // An error unless the pages of all tables hang together. Reads the whole file.
  SqlResult<void> check_pages();
  // An error unless `code` is one of success.
  SqlResult<void> check(int code) const;

  // A failed statement may or may not have ended its transaction; this makes sure that it is over.
  void roll_back();
  // Somebody renamed or deleted the file: what we write now would reach no one.
  bool has_moved();
  // Until we know that a file is ours and sound, closing it must not write to it either.
  void set_checkpoint_on_close(bool enable);

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  SqlError last_error() const;
  bool is_read_only() const;
  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement. Bound text and blobs must outlive the next step().
class Statement {
 public:
  Statement(const Database& db, sqlite3_stmt* stmt) : db_(&db), stmt_(stmt) {}

  // Indexes count from 1. An error is told by the next step() or run().
  Statement& bind(int index, std::int64_t value);
  Statement& bind_text(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view value);
  // True when there is a row.
  SqlResult<bool> step();
  // Runs a statement that answers no rows, and makes it ready for new values.
  SqlResult<void> run();
  // Ready for new values, also where rows are left.
  void reset() { sqlite3_reset(stmt_.get()); }
  // Columns of the row, counted from 0.
  std::int64_t integer(int column);
  std::string bytes(int column);

 private:
  void note(int code);
  struct Finalize {
    void operator()(sqlite3_stmt* stmt) const { sqlite3_finalize(stmt); }
  };
  const Database* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> stmt_;
  int bind_code_ = SQLITE_OK;
};

// One statement for each text, in their order.
SqlResult<std::vector<Statement>> prepare_all(Database& db, std::initializer_list<const char*> texts);

}  // namespace compositord::broker
