#pragma once
// Jobs in the store: the table `job`.

#include <vector>

#include "broker/core/record.h"
#include "broker/store/sqlite_database.h"

namespace compositord::broker {

// All of them, in the order of their ids.
SqlResult<void> read_jobs(Database& db, std::vector<JobRecord>& jobs);

// The statements that write them, prepared once for all records of a transaction.
class JobRows {
 public:
  static SqlResult<JobRows> prepare(Database& db);
  SqlResult<void> write(const JobRecord& job);

 private:
  explicit JobRows(std::vector<Statement> statements) : statements_(std::move(statements)) {}
  std::vector<Statement> statements_;
};

}  // namespace compositord::broker
