// bus.job: what became of calls that were queued.

#include <fmt/format.h>

#include "broker/core/bus_services.h"
#include "broker/core/page_params.h"

namespace compositord::broker {

namespace {

msg::Value describe(const Job& entry) {
  const JobRecord& job = entry.record;
  msg::Value value = msg::Value::map({{"job", job.id},
                                      {"service", job.service},
                                      {"method", job.method},
                                      {"state", std::string(msg::name_of(entry.told_state()))},
                                      {"guarantee", std::string(guarantee_of(job))},
                                      {"attempts", job.attempts},
                                      {"created_at", job.created_at.ms},
                                      {"expires_at", job.expires_at.ms}});
  if (job.status == 0 || entry.told_state() == JobState::kRunning) return value;
  value.set("ended_at", job.ended_at.ms);
  value.set("status", std::int64_t{job.status});
  if (!job.error.empty()) value.set("error", job.error);
  return value;
}

Result<Answer> get(const BusContext& bus, const std::string& id) {
  const Job* job = bus.jobs.find(id);
  if (job == nullptr) {
    return fail(Status::kNotFound, fmt::format("there is no job {}: never, or no more", escape_for_log(id, 64)));
  }
  Answer answer;
  answer.result = describe(*job);
  if (job->told_state() != JobState::kDone || job->record.plain || job->record.result.empty()) return answer;
  Result<msg::Reply> reply = msg::parse_reply(job->record.result);
  if (!reply) return answer;  // its error says so
  answer.result.set("result", std::move(reply->result));
  answer.attachments = std::move(reply->attachments);
  return answer;
}

Result<Answer> list(const BusContext& bus, const msg::Value& params) {
  const Result<PageParams> page = read_page_params(params);
  if (!page) return tl::unexpected<Error>(page.error());
  const Result<std::string> service = read_text(params, "service");
  if (!service) return tl::unexpected<Error>(service.error());
  const Result<std::string> state = read_text(params, "state");
  if (!state) return tl::unexpected<Error>(state.error());
  Jobs::Filter filter{*service, msg::enum_from_name<JobState>(*state)};
  if (!state->empty() && !filter.state) {
    return fail(Status::kMalformed, "state: waiting, running, done or cancelled expected");
  }
  std::vector<const Job*> jobs = bus.jobs.page(page->after, page->limit + 1, filter);
  Answer answer;
  msg::Value next;
  if (jobs.size() > page->limit) {
    jobs.pop_back();
    next = msg::Value(jobs.back()->record.id);
  }
  msg::Value items = msg::Value::array();
  for (const Job* job : jobs) items.push(describe(*job));
  answer.result = msg::Value::map({{"jobs", std::move(items)}, {"next", std::move(next)}});
  return answer;
}

}  // namespace

Result<Answer> call_job_service(const BusContext& bus, const msg::Call& call, Outputs& out) {
  const std::string& method = call.header.method;
  if (method == "list") return list(bus, call.params);
  if (method != "get" && method != "cancel") {
    return fail(Status::kNotFound,
                fmt::format("bus.job has no method \"{}\" (get, list, cancel)", escape_for_log(method, 64)));
  }
  const Result<std::string> id = read_text(call.params, "job");
  if (!id) return tl::unexpected<Error>(id.error());
  if (id->empty()) return fail(Status::kMalformed, "job: missing");
  if (method == "get") return get(bus, *id);
  const Result<std::uint64_t> commit = bus.jobs.cancel(*id, bus.now, out);
  if (!commit) return tl::unexpected<Error>(commit.error());
  Answer answer;
  answer.result = describe(*bus.jobs.find(*id));
  answer.after_commit = *commit;
  return answer;
}

}  // namespace compositord::broker
