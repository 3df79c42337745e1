#include "broker/core/job_table.h"

#include <utility>

#include "common/base/check.h"

namespace compositord::broker {

Job& JobTable::add(JobRecord record) {
  const JobNumber number = ++last_number_;
  CHECK(ids_.emplace(record.id, number).second);
  if (!record.idem.empty()) keys_[{record.service, record.idem}] = number;
  Job& job = jobs_[number];
  job.number = number;
  job.record = std::move(record);
  account(job);
  return job;
}

void JobTable::remove(Job& job) {
  const auto key = keys_.find({job.record.service, job.record.idem});
  if (key != keys_.end() && key->second == job.number) keys_.erase(key);
  ids_.erase(job.record.id);
  bytes_ -= job.bytes;
  jobs_.erase(job.number);
}

Job* JobTable::find(JobNumber number) {
  const auto it = jobs_.find(number);
  return it == jobs_.end() ? nullptr : &it->second;
}

const Job* JobTable::find(JobNumber number) const {
  const auto it = jobs_.find(number);
  return it == jobs_.end() ? nullptr : &it->second;
}

Job* JobTable::find(const std::string& id) {
  const auto it = ids_.find(id);
  return it == ids_.end() ? nullptr : find(it->second);
}

Job* JobTable::find_by_key(const std::string& service, const std::string& idem) {
  const auto it = keys_.find({service, idem});
  return it == keys_.end() ? nullptr : find(it->second);
}

std::size_t JobTable::waiting_for(const std::string& service) const {
  const auto it = queues_.find(service);
  return it == queues_.end() ? 0 : it->second.waiting.size();
}

void JobTable::close_queue_if_empty(const std::string& service) {
  const auto it = queues_.find(service);
  if (it != queues_.end() && it->second.waiting.empty() && it->second.running == 0) queues_.erase(it);
}

void JobTable::account(Job& job) {
  bytes_ -= job.bytes;
  job.bytes = size_of(job.record);
  bytes_ += job.bytes;
}

bool JobTable::check_invariants() const {
  std::size_t bytes = 0;
  std::size_t running = 0;
  for (const auto& entry : jobs_) {
    const Job& job = entry.second;
    bytes += job.bytes;
    running += job.record.state == JobState::kRunning ? 1U : 0U;
    if (job.end_timer == 0) return false;  // every job ends and is forgotten
  }
  std::size_t taken = 0;
  for (const auto& entry : queues_) {
    taken += entry.second.running != 0 ? 1U : 0U;
    for (const JobNumber number : entry.second.waiting) {
      const auto it = jobs_.find(number);
      if (it == jobs_.end() || it->second.record.state != JobState::kWaiting) return false;
    }
  }
  return bytes == bytes_ && running == taken && ids_.size() == jobs_.size();
}

}  // namespace compositord::broker
