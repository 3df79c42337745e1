#pragma once
// Alerts, silences and maintenance windows in the store: the tables `alert` and `alert_window`.

#include <vector>

#include "broker/core/record.h"
#include "broker/store/sqlite_database.h"

namespace compositord::broker {

// All of them, in the order of their ids.
SqlResult<void> read_alerts(Database& db, std::vector<AlertRecord>& alerts);
SqlResult<void> read_windows(Database& db, std::vector<WindowRecord>& windows);

// The statements that write them, prepared once for all records of a transaction.
class AlertRows {
 public:
  static SqlResult<AlertRows> prepare(Database& db);
  SqlResult<void> write(const AlertRecord& alert);
  SqlResult<void> write(const WindowRecord& window);

 private:
  explicit AlertRows(std::vector<Statement> statements) : statements_(std::move(statements)) {}
  std::vector<Statement> statements_;
};

}  // namespace compositord::broker
