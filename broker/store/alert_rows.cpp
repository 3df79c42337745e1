#include "broker/store/alert_rows.h"

#include <string>
#include <utility>

namespace compositord::broker {

namespace {

enum : std::size_t { kPutAlert, kDropAlert, kPutWindow, kDropWindow };

}  // namespace

SqlResult<void> read_alerts(Database& db, std::vector<AlertRecord>& alerts) {
  auto rows =
      db.prepare("SELECT id, subject, about, active, since_ms, document, notice, delivered FROM alert ORDER BY id");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) return {};
    AlertRecord alert;
    alert.id = rows->bytes(0);
    alert.subject = rows->bytes(1);
    alert.about = rows->bytes(2);
    alert.active = rows->integer(3) != 0;
    alert.since = UnixMs{rows->integer(4)};
    alert.document = rows->bytes(5);
    alert.notice = static_cast<std::uint64_t>(rows->integer(6));
    alert.delivered = static_cast<std::uint64_t>(rows->integer(7));
    alerts.push_back(std::move(alert));
  }
}

SqlResult<void> read_windows(Database& db, std::vector<WindowRecord>& windows) {
  auto rows = db.prepare("SELECT id, document FROM alert_window ORDER BY id");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) return {};
    WindowRecord window;
    window.id = rows->bytes(0);
    window.document = rows->bytes(1);
    windows.push_back(std::move(window));
  }
}

SqlResult<AlertRows> AlertRows::prepare(Database& db) {
  auto statements = prepare_all(
      db, {"INSERT OR REPLACE INTO alert (id, subject, about, active, since_ms, document, notice, delivered) "
           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
           "DELETE FROM alert WHERE id = ?1", "INSERT OR REPLACE INTO alert_window (id, document) VALUES (?1, ?2)",
           "DELETE FROM alert_window WHERE id = ?1"});
  if (!statements) return tl::unexpected<SqlError>(statements.error());
  return AlertRows(std::move(*statements));
}

SqlResult<void> AlertRows::write(const AlertRecord& alert) {
  if (alert.erased) return statements_[kDropAlert].bind_text(1, alert.id).run();
  Statement& put = statements_[kPutAlert];
  put.bind_text(1, alert.id).bind_text(2, alert.subject).bind_text(3, alert.about).bind(4, alert.active ? 1 : 0);
  put.bind(5, alert.since.ms).bind_blob(6, alert.document).bind(7, static_cast<std::int64_t>(alert.notice));
  put.bind(8, static_cast<std::int64_t>(alert.delivered));
  return put.run();
}

SqlResult<void> AlertRows::write(const WindowRecord& window) {
  if (window.erased) return statements_[kDropWindow].bind_text(1, window.id).run();
  return statements_[kPutWindow].bind_text(1, window.id).bind_blob(2, window.document).run();
}

}  // namespace compositord::broker
