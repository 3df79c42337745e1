#pragma once
// History in the store: the tables `manifest_revision`, `manifest_content`, `status_change` and `broker_run`.

#include <utility>
#include <vector>

#include "broker/core/store_query.h"
#include "broker/store/sqlite_database.h"

namespace compositord::broker {

SqlResult<StoreRows> read_history(Database& db, const RevisionsQuery& query);
SqlResult<StoreRows> read_history(Database& db, const ChangesQuery& query);

// The statements that write it, prepared once for all records of a transaction.
class HistoryRows {
 public:
  static SqlResult<HistoryRows> prepare(Database& db);
  SqlResult<void> write(const ManifestRevision& revision);
  SqlResult<void> write(const StatusChange& change);
  SqlResult<void> write(const BrokerRun& run);

 private:
  explicit HistoryRows(std::vector<Statement> statements) : statements_(std::move(statements)) {}
  SqlResult<void> forget(const BrokerRun& run);
  std::vector<Statement> statements_;
};

}  // namespace compositord::broker
