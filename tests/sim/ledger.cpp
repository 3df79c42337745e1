#include "tests/sim/ledger.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::sim {

namespace {

using std::chrono::milliseconds;

constexpr Duration kRepeatedFor = std::chrono::minutes(5);
constexpr std::size_t kTasksKept = 20;

bool has_ended(const broker::JobRecord& job) {
  return job.state == broker::JobState::kDone || job.state == broker::JobState::kCancelled;
}

std::string mark_of(const broker::JobRecord& job) {
  const Result<msg::Call> call = msg::parse_call(job.body);
  const msg::Value* mark = call ? call->params.find("mark") : nullptr;
  return mark != nullptr && mark->is_string() ? *mark->if_string() : std::string();
}

void keep_some(std::deque<Task>& tasks, Instant now) {
  while (!tasks.empty() && (tasks.size() > kTasksKept || tasks.front().made_at + kRepeatedFor < now)) tasks.pop_front();
}

}  // namespace

// ---- calls with a key

Task Ledger::idem_task(Random& random, std::uint64_t epoch, const std::string& compositor) {
  if (std::exchange(idem_epoch_, epoch) != epoch) {
    idem_tasks_.clear();
    outcomes_.clear();
  }
  keep_some(idem_tasks_, events_.now());
  if (!idem_tasks_.empty() && random.chance(2, 3)) {
    ++repeated_;
    return idem_tasks_[random.below(idem_tasks_.size())];
  }
  const std::string mark = fmt::format("idem-{}-{}", epoch, ++made_);
  const Duration deadline = random.between(milliseconds(100), milliseconds(7'000));
  return idem_tasks_.emplace_back(Task{mark, mark, compositor, deadline, false, events_.now()});
}

void Ledger::idem_answered(const std::string& mark, Instant asked_at, const msg::Reply& reply) {
  const auto known = outcomes_.find(mark);
  const bool success = reply.header.status == 200;
  if (known == outcomes_.end()) {
    // Of an earlier epoch it means nothing any more. A failure may be replaced by a late answer.
    const bool current = mark.starts_with(fmt::format("idem-{}-", idem_epoch_));
    if (success && current) outcomes_[mark] = Outcome{events_.now(), reply.result};
    return;
  }
  if (success ? reply.result != known->second.result : asked_at > known->second.known_at) {
    failures_.add(
        fmt::format("{} was repeated and got {}, another outcome than its first success", mark, reply.header.status));
  }
}

std::int64_t Ledger::run(const std::string& mark) {
  const std::int64_t runs = ++runs_[mark];
  const auto job = may_run_again_.find(mark);
  if (runs > 1 && (job == may_run_again_.end() || !job->second)) {
    failures_.add(fmt::format("{} was carried out {} times", mark, runs));
  }
  return runs;
}

// ---- jobs

Task Ledger::job_task(Random& random, const std::string& compositor) {
  keep_some(job_tasks_, events_.now());
  if (!job_tasks_.empty() && random.chance(1, 4)) {
    ++repeated_;
    return job_tasks_[random.below(job_tasks_.size())];
  }
  const std::string mark = fmt::format("job-{}", ++made_);
  const Duration deadline = random.between(milliseconds(500), milliseconds(7'000));
  Task task{mark, {}, compositor, deadline, random.chance(1, 2), events_.now()};
  may_run_again_[mark] = task.idempotent;
  if (random.chance(1, 2)) {
    task.key = mark;
    job_tasks_.push_back(task);
  }
  return task;
}

void Ledger::job_accepted(const std::string& mark, const std::string& id) {
  const auto on_disk = job_of_.find(mark);
  if (on_disk == job_of_.end() || on_disk->second != id) {
    failures_.add(fmt::format("{} was answered 202 with the job {}, which is not on disk", mark, id));
  }
}

void Ledger::stored(const broker::JobRecord& record, UnixMs calendar_max) {
  const auto known = jobs_.find(record.id);
  if (record.erased) {
    if (known == jobs_.end()) return;
    const std::int64_t kept_until = known->second.ended_at.ms + to_ms(kJobKeep);
    if (!has_ended(known->second) || kept_until > calendar_max.ms) {
      failures_.add(fmt::format("the job {} was forgotten before its time", record.id));
    }
    // Its key means nothing any more: under it comes another job, of which other runs tell.
    may_run_again_[known->second.body.at(0).str()] = true;
    runs_.erase(known->second.body.at(0).str());
    jobs_.erase(known);
    return;
  }
  const std::string mark = mark_of(record);
  const bool ended_before = known != jobs_.end() && has_ended(known->second);
  if (ended_before) {
    // Only one that nobody knew may be replaced: by a late answer.
    const broker::JobRecord& before = known->second;
    const bool same = record.state == before.state && record.status == before.status && record.result == before.result;
    if (!same && !before.result.empty()) {
      failures_.add(fmt::format("the job {} ended with {} and then with {}", record.id, before.status, record.status));
    }
  }
  if (known == jobs_.end()) {
    const auto other = job_of_.find(mark);
    if (other != job_of_.end() && jobs_.contains(other->second)) {
      failures_.add(fmt::format("{} is the job {} and the job {}", mark, other->second, record.id));
    }
    job_of_[mark] = record.id;
  }
  broker::JobRecord kept = record;
  kept.body = {mark};
  jobs_[record.id] = std::move(kept);
  if (has_ended(record)) job_ended(record, mark);
  if (has_ended(record) && !ended_before) ++jobs_ended_;
}

void Ledger::job_ended(const broker::JobRecord& record, const std::string& mark) {
  const auto it = runs_.find(mark);
  const std::int64_t runs = it == runs_.end() ? 0 : it->second;
  if (record.status == 200 && runs == 0) failures_.add(fmt::format("{} is said to be done, and was not", mark));
  const bool not_done = record.error.find("it was not carried out") != std::string::npos;
  if (not_done && runs > 0) failures_.add(fmt::format("{} is said not to have been carried out, and was", mark));
}

}  // namespace compositord::sim
