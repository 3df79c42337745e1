#include "tests/support/kept_records.h"

namespace compositord::test {

void KeptRecords::keep(const broker::Record& record) {
  if (const auto* compositor = std::get_if<broker::CompositorRecord>(&record)) {
    compositors_[compositor->id] = *compositor;
  } else if (const auto& job = std::get<broker::JobRecord>(record); job.erased) {
    jobs_.erase(job.id);
  } else {
    jobs_[job.id] = job;
  }
}

broker::StoredState KeptRecords::state() const {
  broker::StoredState state;
  for (const auto& entry : compositors_) state.compositors.push_back(entry.second);
  for (const auto& entry : jobs_) state.jobs.push_back(entry.second);
  return state;
}

}  // namespace compositord::test
