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

// A manifest is kept once for all compositors and revisions that have it. The revision that is there already is the first.
constexpr const char* kVersion3 = R"sql(
CREATE TABLE manifest_content (
  hash TEXT NOT NULL PRIMARY KEY,
  manifest BLOB NOT NULL
) STRICT;
CREATE TABLE manifest_revision (
  compositor_id TEXT NOT NULL,
  revision INTEGER NOT NULL,
  hash TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  observed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (compositor_id, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX manifest_revision_hash ON manifest_revision (hash);
CREATE TRIGGER manifest_unused AFTER DELETE ON manifest_revision
WHEN NOT EXISTS (SELECT 1 FROM manifest_revision WHERE hash = OLD.hash)
BEGIN
  DELETE FROM manifest_content WHERE hash = OLD.hash;
END;
INSERT OR IGNORE INTO manifest_content (hash, manifest)
  SELECT hash, manifest FROM compositor WHERE length(manifest) > 0;
INSERT INTO manifest_revision (compositor_id, revision, hash, name, version, observed_at_ms)
  SELECT id, revision, hash, '', '', observed_at_ms FROM compositor WHERE length(manifest) > 0;
CREATE TABLE status_change (
  compositor_id TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  layer TEXT NOT NULL,
  reason TEXT NOT NULL,
  link TEXT NOT NULL,
  process TEXT NOT NULL,
  progress TEXT NOT NULL,
  outputs TEXT NOT NULL,
  PRIMARY KEY (compositor_id, epoch, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX status_change_at ON status_change (at_ms);
CREATE TABLE broker_run (
  epoch INTEGER NOT NULL PRIMARY KEY,
  started_at_ms INTEGER NOT NULL,
  alive_at_ms INTEGER NOT NULL
) STRICT;
)sql";

// The document is the whole alert or window in MessagePack; the columns beside it are for the sqlite3 shell.
constexpr const char* kVersion4 = R"sql(
CREATE TABLE alert (
  id TEXT NOT NULL PRIMARY KEY,
  subject TEXT NOT NULL,
  about TEXT NOT NULL,
  active INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  document BLOB NOT NULL,
  notice INTEGER NOT NULL,
  delivered INTEGER NOT NULL
) STRICT;
CREATE TABLE alert_window (
  id TEXT NOT NULL PRIMARY KEY,
  document BLOB NOT NULL
) STRICT;
)sql";

}  // namespace

std::span<const Migration> store_migrations() noexcept {
  static constexpr std::array<Migration, 4> kMigrations{
      {{1, kVersion1}, {2, kVersion2}, {3, kVersion3}, {4, kVersion4}}};
  return kMigrations;
}

}  // namespace compositord::broker
