#pragma once
// Compositors in the store: the tables `compositor` and `label`.

#include <vector>

#include "broker/core/record.h"
#include "broker/store/sqlite_database.h"

namespace compositord::broker {

// All of them, in the order of their ids.
SqlResult<void> read_compositors(Database& db, std::vector<CompositorRecord>& records);

// The statements that write them, prepared once for all records of a transaction.
class CompositorRows {
 public:
  static SqlResult<CompositorRows> prepare(Database& db);
  SqlResult<void> write(const CompositorRecord& record);

 private:
  explicit CompositorRows(std::vector<Statement> statements) : statements_(std::move(statements)) {}
  std::vector<Statement> statements_;
};

}  // namespace compositord::broker
