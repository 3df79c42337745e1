#include "broker/store/migrations.h"

#include <array>

namespace compositord::broker {

namespace {

// Labels have a table of their own, so that `SELECT` with the sqlite3 shell can answer an operator's question.
// 64-bit counters are kept as SQLite's signed integers, bit for bit.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE run (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  epoch INTEGER NOT NULL
) STRICT;
CREATE TABLE compositor (
  id TEXT NOT NULL PRIMARY KEY,
  manifest BLOB NOT NULL,
  hash TEXT NOT NULL,
  revision INTEGER NOT NULL,
  observed_at_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE label (
  compositor_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (compositor_id, name)
) STRICT, WITHOUT ROWID;
)sql";

// Frames are kept one after the other, each with its length in front (broker/store/frames_blob.h).
constexpr const char* kVersion2 = R"sql(
CREATE TABLE job (
  id TEXT NOT NULL PRIMARY KEY,
  service TEXT NOT NULL,
  method TEXT NOT NULL,
  plain INTEGER NOT NULL,
  body BLOB NOT NULL,
  idempotent INTEGER NOT NULL,
  idem TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  deadline_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER NOT NULL,
  status INTEGER NOT NULL,
  error TEXT NOT NULL,
  result BLOB NOT NULL
) STRICT;
)sql";

}  // namespace

std::span<const Migration> store_migrations() noexcept {
  static constexpr std::array<Migration, 2> kMigrations{{{1, kVersion1}, {2, kVersion2}}};
  return kMigrations;
}

}  // namespace compositord::broker
