#include "broker/core/jobs.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "broker/core/idempotent_calls.h"
#include "common/base/check.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kCallersMax = 64;  // that wait for the disk to know one job, or not to know it any more
constexpr Duration kRetryMin = std::chrono::seconds(1);
constexpr Duration kRetryMax = std::chrono::seconds(60);

// After one attempt a second, after two of them two, then four …
Duration retry_after(std::int64_t attempts) {
  const auto doublings = std::clamp<std::int64_t>(attempts - 1, 0, 6);
  return std::min(kRetryMax, kRetryMin * (std::int64_t{1} << doublings));
}

// One that is not idempotent waits only while it certainly was not carried out. Of another one nobody knows: it may have been
// sent, also by an earlier run of the broker, which does not write that down.
std::string_view expired_text(const JobRecord& job) {
  return job.idempotent ? "its time to live is over, and nobody has answered"
                        : "its time to live is over; it was not carried out";
}

bool has_ended(const Job& job) {
  return job.record.state == JobState::kDone || job.record.state == JobState::kCancelled;
}

// Statuses of a worker that say: not carried out, and it may be possible later.
bool says_later(std::uint16_t status) {
  return status == to_number(Status::kNotConnected) || status == to_number(Status::kLimit);
}

// And those that say: nobody knows. An agent counts the same deadline as the broker, and from a little later.
bool says_unknown(std::uint16_t status) {
  return status == to_number(Status::kGone) || status == to_number(Status::kDeadline);
}

}  // namespace

std::string_view guarantee_of(const JobRecord& job) noexcept {
  return job.idempotent ? "at_least_once" : "at_most_once";
}

Jobs::Jobs(const BrokerConfig& config, Majordomo& majordomo, TimerQueue& timers, Counters& counters,
           CommitIds& commit_ids, std::uint64_t epoch)
    : config_(config),
      majordomo_(majordomo),
      timers_(timers),
      counters_(counters),
      commit_ids_(commit_ids),
      epoch_(epoch) {}

void Jobs::load(const std::vector<JobRecord>& records, Now now, Outputs& out) {
  for (const JobRecord& record : records) {
    Job& job = jobs_.add(record);
    job.stored = true;
    arm_end(job, now);
    if (record.state == JobState::kWaiting) {
      jobs_.queue(record.service).waiting.push_back(job.number);
    } else if (record.state == JobState::kRunning) {
      // It was sent, or was just about to be.
      jobs_.queue(record.service).running = job.number;
      if (record.idempotent) {
        postpone(job, now, out);
      } else {
        end(job, JobState::kDone, Status::kGone,
            "the broker was restarted while it ran; whether it was carried out is unknown", {}, now, out);
        job.end_commit = 0;  // whatever the disk does, the next restart would say the same
      }
    }
  }
}

// ---- asked for

void Jobs::submit(JobCaller caller, JobRequest request, Now now, Outputs& out) {
  if (Job* known = request.idem.empty() ? nullptr : jobs_.find_by_key(request.service, request.idem)) {
    if (known->record.erased) {
      const std::string text = "the job of this key is over and being forgotten, which is not yet on disk";
      return refuse(caller, {Status::kStore, text}, out);
    }
    if (digest_of(known->record.body) != digest_of(request.body)) {
      const std::string text = "this idem key was used for a job with another method or other parameters";
      return refuse(caller, {Status::kConflict, text}, out);
    }
    if (known->callers.size() >= kCallersMax) {
      return refuse(caller, {Status::kLimit, "too many callers wait for this job to be kept"}, out);
    }
    known->callers.push_back(std::move(caller));
    if (known->stored) submitted(*known, {}, now, out);
    return;
  }
  const Limits& limits = config_.limits;
  const std::size_t bytes = wire::held_bytes(request.body);
  if (jobs_.size() >= limits.jobs_max || bytes > limits.job_bytes_max || jobs_.bytes() > limits.job_bytes_max - bytes) {
    return refuse(caller, {Status::kLimit, "the broker keeps too many jobs"}, out);
  }
  if (jobs_.waiting_for(request.service) >= limits.queued_requests_per_service_max) {
    const std::string text = fmt::format("{} jobs wait for \"{}\" already", limits.queued_requests_per_service_max,
                                         escape_for_log(request.service, 64));
    return refuse(caller, {Status::kLimit, text}, out);
  }
  JobRecord record;
  record.id = fmt::format("{:016x}{:016x}", epoch_, ++last_id_);
  record.service = std::move(request.service);
  record.method = std::move(request.method);
  record.plain = request.plain;
  record.body = std::move(request.body);
  record.idempotent = request.idempotent;
  record.idem = std::move(request.idem);
  record.deadline_ms = to_ms(request.deadline);
  record.created_at = now.calendar;
  record.expires_at = UnixMs{now.calendar.ms + to_ms(request.time_to_live)};
  Job& job = jobs_.add(std::move(record));
  job.callers.push_back(std::move(caller));
  arm_end(job, now);
  journal(job, out);
}

void Jobs::submitted(Job& job, const Result<void>& result, Now now, Outputs& out) {
  const bool first = !job.stored;
  for (const JobCaller& caller : std::exchange(job.callers, {})) {
    if (!result) {
      const Error error{Status::kStore, "it could not be kept, and was not queued: " + result.error().text};
      refuse(caller, error, out);
    } else if (caller.call) {
      msg::Reply reply;
      reply.encoding = caller.call->encoding;
      reply.header.id = caller.call->id;
      reply.header.status = to_number(Status::kQueued);
      reply.result = msg::Value::map({{"job", job.record.id},
                                      {"guarantee", std::string(guarantee_of(job.record))},
                                      {"expires_at", job.record.expires_at.ms}});
      send_reply(caller.client, reply, counters_, out);
    } else {
      send_body(caller.client, true, {"200", job.record.id}, counters_, out);
    }
  }
  if (!first) return;
  if (!result) return remove(job);
  job.stored = true;
  ++counters_.jobs_queued;
  arm_end(job, now);  // its time may be over: the disk was slow
  enqueue(job, now, out);
}

void Jobs::refuse(const JobCaller& caller, const Error& error, Outputs& out) {
  ++counters_.requests_refused;
  if (caller.call) {
    send_reply(caller.client, msg::error_reply(caller.call->encoding, caller.call->id, error), counters_, out);
  } else {
    send_body(caller.client, true, {"500", error.text}, counters_, out);
  }
}

bool Jobs::on_stored(std::uint64_t commit_id, const Result<void>& result, Now now, Outputs& out) {
  const auto it = commits_.find(commit_id);
  if (it == commits_.end()) return false;
  Job* job = jobs_.find(it->second);
  commits_.erase(it);
  if (job == nullptr) return true;
  const bool is_end = job->end_commit == commit_id;
  // When the disk has refused it, memory is all that there is to tell of.
  if (is_end) job->end_commit = 0;
  if (is_end && job->record.erased) erased(*job, result, out);
  if (is_end && job->record.erased && result) {
    remove(*job);
  } else if (!job->stored) {
    submitted(*job, result, now, out);
  } else if (job->start_commit == commit_id) {
    job->start_commit = 0;
    result && job->record.expires_at > now.calendar ? send(*job, now, out) : postpone(*job, now, out);
  } else if (!result) {
    job->unsaved = true;
    if (job->retry_timer == 0) {
      job->retry_timer = timers_.arm(now.instant + kRetryMax, TimerKind::kJobRetry, job->number);
    }
  }
  return true;
}

// ---- carried out

void Jobs::enqueue(Job& job, Now now, Outputs& out) {
  jobs_.queue(job.record.service).waiting.push_back(job.number);
  try_start(std::string(job.record.service), now, out);
}

void Jobs::wake(const std::string& service, Now now, Outputs& out) {
  JobQueue& queue = jobs_.queue(service);
  if (!queue.waiting.empty()) {
    Job* first = jobs_.find(queue.waiting.front());
    CHECK(first != nullptr);
    timers_.cancel(first->retry_timer);
  }
  try_start(service, now, out);
}

void Jobs::try_start(const std::string& service, Now now, Outputs& out) {
  JobQueue& queue = jobs_.queue(service);
  if (stopping_ || queue.running != 0 || queue.waiting.empty() || !majordomo_.has_workers(service)) {
    return jobs_.close_queue_if_empty(service);
  }
  Job* job = jobs_.find(queue.waiting.front());
  CHECK(job != nullptr);
  if (job->retry_timer != 0) return;
  if (job->record.expires_at <= now.calendar) return arm_end(*job, now);  // at once: after suspend, timers are late
  queue.waiting.pop_front();
  queue.running = job->number;
  start(*job, now, out);
}

void Jobs::stop(Now now, Outputs& out) {
  stopping_ = true;
  for (const auto& [id, number] : jobs_.ids()) {
    Job* job = jobs_.find(number);
    if (std::exchange(job->start_commit, 0) != 0) postpone(*job, now, out);
  }
}

void Jobs::start(Job& job, Now now, Outputs& out) {
  job.record.state = JobState::kRunning;
  ++job.record.attempts;
  if (job.record.idempotent) return send(job, now, out);
  job.start_commit = journal(job, out);
}

void Jobs::send(Job& job, Now now, Outputs& out) {
  const JobRecord& record = job.record;
  Client client{{}, {}, record.service, Origin::kJob, job.number, !record.idempotent};
  if (record.plain) return majordomo_.route_plain(std::move(client), wire::Frames(record.body), now.instant, out);
  majordomo_.route_call(std::move(client), CallMark{}, wire::Frames(record.body),
                        std::chrono::milliseconds(record.deadline_ms), now.instant, out);
}

void Jobs::on_outcome(Outcome&& outcome, Now now, Outputs& out) {
  Job* job = jobs_.find(outcome.key);
  if (job == nullptr || job->record.erased || !outcome.final) return;
  if (outcome.carried == Carried::kAnswered) return answered(*job, std::move(outcome.body), now, out);
  if (job->record.state != JobState::kRunning) return;
  if (outcome.carried == Carried::kNo || job->record.idempotent) return postpone(*job, now, out);
  end(*job, JobState::kDone, outcome.error.status, std::move(outcome.error.text), {}, now, out);
}

void Jobs::answered(Job& job, wire::Frames&& body, Now now, Outputs& out) {
  // A late answer says what became of a job whose outcome was unknown.
  const bool unknown_till_now = job.record.state == JobState::kDone && job.record.result.empty();
  if (job.record.state == JobState::kCancelled || (job.record.state == JobState::kDone && !unknown_till_now)) return;
  Status status = Status::kDone;
  std::string error;
  if (!job.record.plain) {
    const Result<msg::Reply> reply = msg::parse_reply(body);
    if (!reply) {
      status = Status::kFailed;
      error = "the worker's answer is no reply to a call: " + reply.error().text;
    } else {
      const std::uint16_t said = reply->header.status;
      const bool again = says_later(said) || (job.record.idempotent && says_unknown(said));
      if (again && job.record.state == JobState::kWaiting) return;  // to be tried again already
      if (again && job.record.state == JobState::kRunning) return postpone(job, now, out);
      status = static_cast<Status>(said);
      error = reply->header.error.value_or("");
    }
  }
  if (wire::held_bytes(body) > config_.limits.job_result_bytes_max) {
    error = fmt::format("its answer of {} bytes was too large to be kept", wire::total_bytes(body));
    body.clear();
  }
  end(job, JobState::kDone, status, std::move(error), std::move(body), now, out);
}

void Jobs::postpone(Job& job, Now now, Outputs& out) {
  JobRecord& record = job.record;
  JobQueue& queue = jobs_.queue(record.service);
  CHECK(queue.running == job.number);
  queue.running = 0;
  if (record.expires_at <= now.calendar) {
    return end(job, JobState::kDone, Status::kDeadline, std::string(expired_text(record)), {}, now, out);
  }
  record.state = JobState::kWaiting;
  queue.waiting.push_front(job.number);
  timers_.cancel(job.retry_timer);
  job.retry_timer = timers_.arm(now.instant + retry_after(record.attempts), TimerKind::kJobRetry, job.number);
  ++counters_.jobs_retried;
  journal(job, out);
}

void Jobs::end(Job& job, JobState state, Status status, std::string error, wire::Frames&& result, Now now,
               Outputs& out) {
  const bool first = !has_ended(job);
  const bool ran = job.record.state == JobState::kRunning;
  if (first) leave_queue(job);
  job.record.state = state;
  job.record.status = to_number(status);
  job.record.error = std::move(error);
  job.record.result = std::move(result);
  job.record.ended_at = now.calendar;
  job.start_commit = 0;
  jobs_.account(job);
  timers_.cancel(job.retry_timer);
  arm_end(job, now);
  if (first) ++counters_.jobs_ended;
  out.log.push_back(LogEvent(Severity::kInfo, "job.ended")
                        .with("job", job.record.id)
                        .with("service", job.record.service)
                        .with("state", std::string(msg::name_of(state)))
                        .with("status", std::to_string(job.record.status)));
  const std::uint64_t commit = journal(job, out);
  if (ran) job.end_commit = commit;
  try_start(std::string(job.record.service), now, out);
}

void Jobs::leave_queue(Job& job) {
  JobQueue& queue = jobs_.queue(job.record.service);
  if (queue.running == job.number) queue.running = 0;
  std::erase(queue.waiting, job.number);
}

// ---- time

void Jobs::arm_end(Job& job, Now now) {
  timers_.cancel(job.end_timer);
  const std::int64_t at = has_ended(job) ? job.record.ended_at.ms + to_ms(config_.job_keep) : job.record.expires_at.ms;
  // The calendar may have jumped: never in the past, and not so far away that nobody looks again.
  const std::int64_t in_max = to_ms(std::chrono::hours(24));
  const std::int64_t in = job.record.erased ? in_max : std::clamp<std::int64_t>(at - now.calendar.ms, 1, in_max);
  job.end_timer = timers_.arm(now.instant + std::chrono::milliseconds(in), TimerKind::kJobEnd, job.number);
}

void Jobs::on_timer(const Timer& timer, Now now, Outputs& out) {
  Job* job = jobs_.find(timer.key);
  CHECK(job != nullptr);
  if (timer.kind == TimerKind::kJobRetry) {
    job->retry_timer = 0;
    if (std::exchange(job->unsaved, false)) {
      const std::uint64_t commit = journal(*job, out);
      if (job->record.erased) job->end_commit = commit;
    }
    return try_start(std::string(job->record.service), now, out);
  }
  job->end_timer = 0;
  if (job->record.erased) return arm_end(*job, now);
  const bool ended = has_ended(*job);
  const std::int64_t at = ended ? job->record.ended_at.ms + to_ms(config_.job_keep) : job->record.expires_at.ms;
  if (ended && at <= now.calendar.ms) return erase(*job, now, out);
  if (job->record.state == JobState::kWaiting && job->stored && at <= now.calendar.ms) {
    ++counters_.jobs_expired;
    return end(*job, JobState::kDone, Status::kDeadline, std::string(expired_text(job->record)), {}, now, out);
  }
  // It runs, or it is not yet on disk: its own end will come.
  job->end_timer = timers_.arm(now.instant + kRetryMax, TimerKind::kJobEnd, job->number);
}

// ---- asked about

const Job* Jobs::find(const std::string& id) const {
  const auto it = jobs_.ids().find(id);
  if (it == jobs_.ids().end()) return nullptr;
  const Job* job = jobs_.find(it->second);
  return job->stored && !job->record.erased ? job : nullptr;
}

std::vector<const Job*> Jobs::page(const std::string& after, std::size_t count, const Filter& filter) const {
  std::vector<const Job*> page;
  for (auto it = jobs_.ids().upper_bound(after); it != jobs_.ids().end() && page.size() < count; ++it) {
    const Job* job = jobs_.find(it->second);
    if (!job->stored || job->record.erased) continue;
    if (!filter.service.empty() && job->record.service != filter.service) continue;
    if (filter.state && job->told_state() != *filter.state) continue;
    page.push_back(job);
  }
  return page;
}

Result<std::uint64_t> Jobs::cancel(const std::string& id, Now now, Outputs& out) {
  if (find(id) == nullptr) return fail(Status::kNotFound, fmt::format("there is no job {}", escape_for_log(id, 64)));
  Job& job = *jobs_.find(id);
  if (job.record.state != JobState::kWaiting) {
    return fail(Status::kConflict, fmt::format("the job {} is {}: only one that waits can be cancelled", id,
                                               msg::name_of(job.told_state())));
  }
  const bool may_have_run = job.record.idempotent && job.record.attempts > 0;
  end(job, JobState::kCancelled, Status::kConflict,
      may_have_run ? "it was cancelled; whether it was carried out before is unknown"
                   : "it was cancelled before it was carried out",
      {}, now, out);
  // end() has written it; the caller waits for a write of its own, which comes after that one or takes its place.
  return journal(job, out);
}

void Jobs::close(JobCaller caller, const std::string& id, Now now, Outputs& out) {
  Job* job = jobs_.find(id);
  if (job == nullptr || !job->stored || !job->record.plain) {
    return send_body(caller.client, true, {"200"}, counters_, out);
  }
  const bool end_is_stored = has_ended(*job) && job->end_commit == 0;
  if (!end_is_stored && !job->record.erased) return send_body(caller.client, true, {"300"}, counters_, out);
  if (job->callers.size() >= kCallersMax) {
    return refuse(caller, {Status::kLimit, "too many callers wait for this job to be forgotten"}, out);
  }
  job->callers.push_back(std::move(caller));
  if (end_is_stored) erase(*job, now, out);  // also again, when the disk has refused it
}

void Jobs::erase(Job& job, Now now, Outputs& out) {
  timers_.cancel(job.retry_timer);
  job.unsaved = false;
  job.record.body.clear();
  job.record.result.clear();
  job.record.erased = true;
  jobs_.account(job);
  arm_end(job, now);
  job.end_commit = journal(job, out);
}

void Jobs::erased(Job& job, const Result<void>& result, Outputs& out) {
  for (const JobCaller& caller : std::exchange(job.callers, {})) {
    if (!result) {
      const Error error{Status::kStore, "it is not yet forgotten on disk: " + result.error().text};
      refuse(caller, error, out);
    } else {
      send_body(caller.client, true, {"200"}, counters_, out);
    }
  }
}

void Jobs::remove(Job& job) {
  timers_.cancel(job.end_timer);
  timers_.cancel(job.retry_timer);
  const std::string service = job.record.service;
  leave_queue(job);
  jobs_.remove(job);
  jobs_.close_queue_if_empty(service);
}

void Jobs::store_all(Outputs& out) {
  for (const auto& [id, number] : jobs_.ids()) {
    const Job* job = jobs_.find(number);
    if (job->stored) journal(*job, out);
  }
}

std::uint64_t Jobs::journal(const Job& job, Outputs& out) {
  const std::uint64_t commit_id = commit_ids_.next();
  commits_[commit_id] = job.number;
  out.store_writes.push_back(StoreWrite{commit_id, job.record});
  return commit_id;
}

}  // namespace compositord::broker
