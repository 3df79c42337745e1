#include "broker/store/job_rows.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "broker/store/frames_blob.h"

namespace compositord::broker {

namespace {

enum : std::size_t { kPut, kDrop };

}  // namespace

SqlResult<void> read_jobs(Database& db, std::vector<JobRecord>& jobs) {
  auto rows = db.prepare(
      "SELECT id, service, method, plain, body, idempotent, idem, state, attempts, deadline_ms, created_at_ms, "
      "expires_at_ms, ended_at_ms, status, error, result FROM job ORDER BY id");
  if (!rows) return tl::unexpected<SqlError>(rows.error());
  for (;;) {
    auto row = rows->step();
    if (!row) return tl::unexpected<SqlError>(row.error());
    if (!*row) return {};
    JobRecord job;
    job.id = rows->bytes(0);
    auto body = frames_of(rows->bytes(4));
    auto result = frames_of(rows->bytes(15));
    const auto state = msg::enum_from_name<JobState>(rows->bytes(7));
    if (!body || !result || !state) return sql_fail(SQLITE_CORRUPT, fmt::format("the job {} can't be read", job.id));
    job.service = rows->bytes(1);
    job.method = rows->bytes(2);
    job.plain = rows->integer(3) != 0;
    job.body = std::move(*body);
    job.idempotent = rows->integer(5) != 0;
    job.idem = rows->bytes(6);
    job.state = *state;
    job.attempts = rows->integer(8);
    job.deadline_ms = rows->integer(9);
    job.created_at = UnixMs{rows->integer(10)};
    job.expires_at = UnixMs{rows->integer(11)};
    job.ended_at = UnixMs{rows->integer(12)};
    job.status = static_cast<std::uint16_t>(rows->integer(13));
    job.error = rows->bytes(14);
    job.result = std::move(*result);
    jobs.push_back(std::move(job));
  }
}

SqlResult<JobRows> JobRows::prepare(Database& db) {
  auto statements = prepare_all(
      db,
      {"INSERT OR REPLACE INTO job (id, service, method, plain, body, idempotent, idem, state, attempts, deadline_ms, "
       "created_at_ms, expires_at_ms, ended_at_ms, status, error, result) "
       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
       "DELETE FROM job WHERE id = ?1"});
  if (!statements) return tl::unexpected<SqlError>(statements.error());
  return JobRows(std::move(*statements));
}

SqlResult<void> JobRows::write(const JobRecord& job) {
  if (job.erased) return statements_[kDrop].bind_text(1, job.id).run();
  const std::string body = blob_of(job.body);
  const std::string result = blob_of(job.result);
  Statement& put = statements_[kPut];
  put.bind_text(1, job.id).bind_text(2, job.service).bind_text(3, job.method).bind(4, job.plain ? 1 : 0);
  put.bind_blob(5, body).bind(6, job.idempotent ? 1 : 0).bind_text(7, job.idem);
  put.bind_text(8, msg::name_of(job.state)).bind(9, job.attempts).bind(10, job.deadline_ms);
  put.bind(11, job.created_at.ms).bind(12, job.expires_at.ms).bind(13, job.ended_at.ms);
  put.bind(14, job.status).bind_text(15, job.error).bind_blob(16, result);
  return put.run();
}

}  // namespace compositord::broker
