#include "broker/store/history_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "broker/core/record.h"
#include "common/msg/value.h"

namespace compositord::broker {

namespace {

enum : std::size_t {
  kPutContent,
  kPutRevision,
  kDropRevisions,
  kPutChange,
  kPutRun,
  kOldestKept,
  kDropChanges,
  kDropRuns
};

std::int64_t signed_of(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::uint64_t unsigned_of(std::int64_t number) { return static_cast<std::uint64_t>(number); }

// JSON, for the operator who looks with the sqlite3 shell: [["DP-1","on"],["DP-2","off","planned"]].
std::string text_of(const std::vector<OutputChange>& outputs) {
  msg::Value all = msg::Value::array();
  for (const OutputChange& output : outputs) {
    msg::Value one = msg::Value::array({output.name, msg::name_of(output.state)});
    if (output.planned) one.push("planned");
    all.push(std::move(one));
  }
  return msg::encode_json(all);
}

bool read_output(const msg::Value& value, OutputChange& output) {
  const msg::Value::Array* parts = value.if_array();
  if (parts == nullptr || parts->size() < 2 || !(*parts)[0].is_string() || !(*parts)[1].is_string()) return false;
  const auto state = msg::enum_from_name<msg::OutputState>(*(*parts)[1].if_string());
  if (!state) return false;
  output = OutputChange{*(*parts)[0].if_string(), *state, parts->size() > 2};
  return true;
}

bool read_outputs(const std::string& text, std::vector<OutputChange>& outputs) {
  const Result<msg::Value> value = msg::decode_json(text);
  if (!value || value->if_array() == nullptr) return false;
  return std::all_of(value->if_array()->begin(), value->if_array()->end(),
                     [&](const msg::Value& one) { return read_output(one, outputs.emplace_back()); });
}

template <class Enum>
bool read_enum(Statement& rows, int column, Enum& value) {
  const auto found = msg::enum_from_name<Enum>(rows.bytes(column));
  if (found) value = *found;
  return found.has_value();
}

constexpr const char* kChangeColumns =
    "SELECT compositor_id, epoch, seq, at_ms, verdict, layer, reason, link, process, progress, outputs "
    "FROM status_change WHERE compositor_id = ?1 ";

SqlResult<StatusChange> read_change(Statement& rows) {
  StatusChange change;
  change.id = rows.bytes(0);
  change.epoch = unsigned_of(rows.integer(1));
  change.seq = unsigned_of(rows.integer(2));
  change.at = UnixMs{rows.integer(3)};
  change.layer = rows.bytes(5);
  change.reason = rows.bytes(6);
  const bool good = read_enum(rows, 4, change.verdict) && read_enum(rows, 7, change.link) &&
                    read_enum(rows, 8, change.process) && read_enum(rows, 9, change.progress) &&
                    read_outputs(rows.bytes(10), change.outputs);
  if (good) return change;
  // One row, and no reason to give up the file that it is in.
  return sql_fail(SQLITE_MISMATCH, fmt::format("a status change of {} can't be read", change.id));
}

// What an answer is made of, in memory: a page's has to fit into a frame, in any encoding.
constexpr std::size_t kPageBytesMax = 4U << 20U;
constexpr std::size_t kPeriodBytesMax = 128U << 20U;

// All rows that `rows` gives, or until no bytes are left; and the statement is ready for new values.
SqlResult<void> take_changes(Statement& rows, std::vector<StatusChange>& changes, std::size_t& bytes_left) {
  for (;;) {
    auto row = rows.step();
    if (!row || !*row) {
      rows.reset();
      if (!row) return tl::unexpected<SqlError>(row.error());
      return {};
    }
    auto change = read_change(rows);
    if (!change) return tl::unexpected<SqlError>(change.error());
    bytes_left -= std::min(bytes_left, size_of(*change));
    changes.push_back(std::move(*change));
    if (bytes_left > 0) continue;
    rows.reset();
    return {};
  }
}

SqlResult<void> read_runs(Database& db, UnixMs since, std::vector<BrokerRun>& runs) {
  auto rows =
      db.prepare("SELECT epoch, started_at_ms, alive_at_ms FROM broker_run WHERE alive_at_ms >= ?1 ORDER BY epoch");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  rows->bind(1, since.ms);
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) return {};
    BrokerRun run;
    run.epoch = unsigned_of(rows->integer(0));
    run.started_at = UnixMs{rows->integer(1)};
    run.alive_at = UnixMs{rows->integer(2)};
    runs.push_back(run);
  }
}

SqlResult<void> take_revisions(Statement& rows, bool with_manifest, std::vector<ManifestRevision>& revisions) {
  for (;;) {
    auto row = rows.step();
    if (!row || !*row) {
      rows.reset();
      if (!row) return tl::unexpected<SqlError>(row.error());
      return {};
    }
    ManifestRevision revision;
    revision.id = rows.bytes(0);
    revision.revision = unsigned_of(rows.integer(1));
    revision.hash = rows.bytes(2);
    revision.name = rows.bytes(3);
    revision.version = rows.bytes(4);
    revision.observed_at = UnixMs{rows.integer(5)};
    if (with_manifest) revision.manifest = rows.bytes(6);
    revisions.push_back(std::move(revision));
  }
}

}  // namespace

SqlResult<StoreRows> read_history(Database& db, const RevisionsQuery& query) {
  StoreRows rows;
  const bool all = query.revisions.empty();
  auto statement = db.prepare(
      all ? "SELECT compositor_id, revision, hash, name, version, observed_at_ms FROM manifest_revision "
            "WHERE compositor_id = ?1 ORDER BY revision"
          : "SELECT compositor_id, revision, hash, name, version, observed_at_ms, manifest FROM manifest_revision "
            "JOIN manifest_content USING (hash) WHERE compositor_id = ?1 AND revision = ?2");
  if (!statement) return tl::unexpected<SqlError>(statement.error());
  statement->bind_text(1, query.id);
  if (all) {
    if (auto ok = take_revisions(*statement, false, rows.revisions); !ok) return tl::unexpected<SqlError>(ok.error());
  }
  for (const std::uint64_t revision : query.revisions) {
    statement->bind(2, signed_of(revision));
    if (auto ok = take_revisions(*statement, true, rows.revisions); !ok) return tl::unexpected<SqlError>(ok.error());
  }
  return rows;
}

SqlResult<StoreRows> read_history(Database& db, const ChangesQuery& query) {
  StoreRows rows;
  auto before =
      db.prepare(fmt::format("{} AND at_ms < ?2 ORDER BY epoch DESC, seq DESC LIMIT 1", kChangeColumns).c_str());
  if (!before) return tl::unexpected<SqlError>(before.error());
  auto within = db.prepare(fmt::format("{} AND at_ms >= ?2 AND at_ms < ?3 AND (epoch, seq) > (?4, ?5) "
                                       "ORDER BY epoch, seq LIMIT ?6",
                                       kChangeColumns)
                               .c_str());
  if (!within) return tl::unexpected<SqlError>(within.error());
  std::size_t bytes_left = query.with_before ? kPeriodBytesMax : kPageBytesMax;
  for (const std::string& id : query.ids) {
    if (query.with_before) {
      before->bind_text(1, id).bind(2, query.since.ms);
      if (auto ok = take_changes(*before, rows.changes, bytes_left); !ok) return tl::unexpected<SqlError>(ok.error());
    }
    if (rows.changes.size() > query.rows_max || bytes_left == 0) break;
    within->bind_text(1, id).bind(2, query.since.ms).bind(3, query.until.ms);
    within->bind(4, signed_of(query.after_epoch)).bind(5, signed_of(query.after_seq));
    within->bind(6, signed_of(query.rows_max + 1 - rows.changes.size()));
    if (auto ok = take_changes(*within, rows.changes, bytes_left); !ok) return tl::unexpected<SqlError>(ok.error());
  }
  rows.more = rows.changes.size() > query.rows_max || bytes_left == 0;
  if (rows.changes.size() > query.rows_max) rows.changes.resize(query.rows_max);
  if (!query.with_before) return rows;
  if (auto ok = read_runs(db, query.since, rows.runs); !ok) return tl::unexpected<SqlError>(ok.error());
  return rows;
}

SqlResult<HistoryRows> HistoryRows::prepare(Database& db) {
  auto statements = prepare_all(
      db, {"INSERT INTO manifest_content (hash, manifest) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING",
           "INSERT INTO manifest_revision (compositor_id, revision, hash, name, version, observed_at_ms) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (compositor_id, revision) DO UPDATE SET hash = excluded.hash, "
           "name = excluded.name, version = excluded.version, observed_at_ms = excluded.observed_at_ms",
           "DELETE FROM manifest_revision WHERE compositor_id = ?1 AND revision <= ?2",
           "INSERT OR REPLACE INTO status_change (compositor_id, epoch, seq, at_ms, verdict, layer, reason, link, "
           "process, progress, outputs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
           "INSERT INTO broker_run (epoch, started_at_ms, alive_at_ms) VALUES (?1, ?2, ?3) "
           "ON CONFLICT (epoch) DO UPDATE SET alive_at_ms = excluded.alive_at_ms",
           "SELECT at_ms FROM status_change ORDER BY at_ms DESC LIMIT 1 OFFSET ?1",
           // A state holds until the next change: what was the state at that time must still be known.
           "DELETE FROM status_change AS old WHERE at_ms < ?1 AND EXISTS (SELECT 1 FROM status_change AS new "
           "WHERE new.compositor_id = old.compositor_id AND (new.epoch, new.seq) > (old.epoch, old.seq) "
           "AND new.at_ms < ?1)",
           "DELETE FROM broker_run WHERE alive_at_ms < ?1 AND epoch <> ?2"});
  if (!statements) return tl::unexpected<SqlError>(statements.error());
  return HistoryRows(std::move(*statements));
}

SqlResult<void> HistoryRows::write(const ManifestRevision& revision) {
  auto ok = statements_[kPutContent].bind_text(1, revision.hash).bind_blob(2, revision.manifest).run();
  if (!ok) return ok;
  Statement& put = statements_[kPutRevision];
  put.bind_text(1, revision.id).bind(2, signed_of(revision.revision)).bind_text(3, revision.hash);
  put.bind_text(4, revision.name).bind_text(5, revision.version).bind(6, revision.observed_at.ms);
  if (ok = put.run(); !ok) return ok;
  const std::int64_t gone = signed_of(revision.revision) - signed_of(revision.keep);
  return statements_[kDropRevisions].bind_text(1, revision.id).bind(2, gone).run();
}

SqlResult<void> HistoryRows::write(const StatusChange& change) {
  const std::string outputs = text_of(change.outputs);
  Statement& put = statements_[kPutChange];
  put.bind_text(1, change.id).bind(2, signed_of(change.epoch)).bind(3, signed_of(change.seq)).bind(4, change.at.ms);
  put.bind_text(5, name_of(change.verdict)).bind_text(6, change.layer).bind_text(7, change.reason);
  put.bind_text(8, name_of(change.link)).bind_text(9, name_of(change.process)).bind_text(10, name_of(change.progress));
  put.bind_text(11, outputs);
  return put.run();
}

SqlResult<void> HistoryRows::write(const BrokerRun& run) {
  Statement& put = statements_[kPutRun];
  put.bind(1, signed_of(run.epoch)).bind(2, run.started_at.ms).bind(3, run.alive_at.ms);
  if (auto ok = put.run(); !ok) return ok;
  if (run.changes_max == 0) return {};
  return forget(run);
}

SqlResult<void> HistoryRows::forget(const BrokerRun& run) {
  std::int64_t before = run.forget_before.ms;
  Statement& oldest = statements_[kOldestKept];
  auto row = oldest.bind(1, signed_of(run.changes_max)).step();
  if (row && *row) before = std::max(before, oldest.integer(0) + 1);
  oldest.reset();
  if (!row) return tl::unexpected<SqlError>(row.error());
  if (auto ok = statements_[kDropChanges].bind(1, before).run(); !ok) return ok;
  return statements_[kDropRuns].bind(1, before).bind(2, signed_of(run.epoch)).run();
}

}  // namespace compositord::broker
