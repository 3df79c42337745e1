#include "broker/core/titanic.h"

#include <utility>

#include "broker/core/service_names.h"
#include "common/wire/mdp_codec.h"

namespace compositord::broker {

namespace {

void request(const Client& client, wire::Frames&& body, const BrokerConfig& config, Jobs& jobs, Now now,
             Counters& counters, Outputs& out) {
  if (body.empty() || reserved_prefix_of(body.front()) || body.front().empty() ||
      body.front().size() > wire::kServiceNameBytesMax) {
    return send_body(client, true, {"400"}, counters, out);
  }
  JobRequest wanted;
  wanted.service = body.front().str();
  wanted.plain = true;
  body.erase(body.begin());
  wanted.body = std::move(body);
  wanted.idempotent = terms_of(config.services, wanted.service, ServiceTerms{}).idempotent;
  wanted.time_to_live = config.job_time_to_live;
  wanted.deadline = config.default_deadline;
  jobs.submit(JobCaller{client, std::nullopt}, std::move(wanted), now, out);
}

void reply(const Client& client, const Job* job, Counters& counters, Outputs& out) {
  if (job == nullptr || !job->record.plain) return send_body(client, true, {"400"}, counters, out);
  const JobRecord& record = job->record;
  const bool ended = job->told_state() == JobState::kDone || job->told_state() == JobState::kCancelled;
  if (!ended) return send_body(client, true, {"300"}, counters, out);
  if (record.status != to_number(Status::kDone) || !record.error.empty()) {
    return send_body(client, true, {"500", record.error}, counters, out);
  }
  wire::Frames answer = record.result;
  answer.insert(answer.begin(), "200");
  send_body(client, true, std::move(answer), counters, out);
}

}  // namespace

void answer_titanic(const Client& client, wire::Frames&& body, const BrokerConfig& config, Jobs& jobs, Now now,
                    Counters& counters, Outputs& out) {
  if (client.service == "titanic.request") return request(client, std::move(body), config, jobs, now, counters, out);
  const std::string id = body.size() == 1 ? body.front().str() : std::string();
  if (client.service == "titanic.reply") return reply(client, jobs.find(id), counters, out);
  if (client.service != "titanic.close" || id.empty()) return send_body(client, true, {"400"}, counters, out);
  jobs.close(JobCaller{client, std::nullopt}, id, now, out);
}

}  // namespace compositord::broker
