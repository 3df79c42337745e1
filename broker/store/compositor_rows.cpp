#include "broker/store/compositor_rows.h"

#include <string>
#include <unordered_map>
#include <utility>

namespace compositord::broker {

namespace {

enum : std::size_t { kPut, kDropLabels, kPutLabel };

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

}  // namespace

SqlResult<void> read_compositors(Database& db, std::vector<CompositorRecord>& records) {
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
    records.push_back(std::move(record));
  }
  return read_labels(db, records);
}

SqlResult<CompositorRows> CompositorRows::prepare(Database& db) {
  auto statements =
      prepare_all(db, {"INSERT INTO compositor (id, manifest, hash, revision, observed_at_ms, last_seen_ms) "
                       "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest, "
                       "hash = excluded.hash, revision = excluded.revision, observed_at_ms = excluded.observed_at_ms, "
                       "last_seen_ms = excluded.last_seen_ms",
                       "DELETE FROM label WHERE compositor_id = ?1",
                       "INSERT INTO label (compositor_id, name, value) VALUES (?1, ?2, ?3)"});
  if (!statements) return tl::unexpected<SqlError>(statements.error());
  return CompositorRows(std::move(*statements));
}

SqlResult<void> CompositorRows::write(const CompositorRecord& record) {
  Statement& put = statements_[kPut];
  put.bind_text(1, record.id).bind_blob(2, record.manifest).bind_text(3, record.hash);
  put.bind(4, static_cast<std::int64_t>(record.revision)).bind(5, record.observed_at.ms).bind(6, record.last_seen.ms);
  if (auto ok = put.run(); !ok) return ok;
  if (auto ok = statements_[kDropLabels].bind_text(1, record.id).run(); !ok) return ok;
  for (const auto& label : record.labels) {
    Statement& put_label = statements_[kPutLabel];
    put_label.bind_text(1, record.id).bind_text(2, label.first).bind_text(3, label.second);
    if (auto ok = put_label.run(); !ok) return ok;
  }
  return {};
}

}  // namespace compositord::broker
