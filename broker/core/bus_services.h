#pragma once
// The bus's own services: bus.agent (agent_service.cpp), bus.worker (worker_service.cpp), bus.job (job_service.cpp), bus.alert
// (alert_service.cpp), bus.manifest (manifest_service.cpp), the history of bus.status (history_service.cpp) and the questions
// anybody may ask (query_services.cpp).
// Source: schemas/PROTOCOL.md "The bus's own services".

#include <optional>

#include "broker/core/alert_engine.h"
#include "broker/core/broker_config.h"
#include "broker/core/compositor_table.h"
#include "broker/core/counters.h"
#include "broker/core/input.h"
#include "broker/core/jobs.h"
#include "broker/core/majordomo.h"
#include "broker/core/service_names.h"
#include "common/msg/envelope.h"

namespace compositord::broker {

// How full the broker is.
struct Depths {
  std::size_t open_requests = 0;
  std::size_t waiting_bytes = 0;  // of requests that wait for a worker
  std::size_t pending_commits = 0;
  std::size_t pending_reads = 0;
  std::size_t jobs = 0;
  std::size_t job_bytes = 0;
  std::size_t idem_calls = 0;
  std::size_t idem_bytes = 0;
  std::size_t group_calls = 0;
  std::size_t group_bytes = 0;
  std::size_t workers = 0;
  std::size_t services = 0;
  std::size_t compositors = 0;
  std::size_t alerts = 0;  // that fire
  std::size_t timers = 0;
  input::BusLoad bus;
};

// What `bus.admin stats` answers and bus/stats publishes.
msg::Value describe_stats(const Feed& feed, const Counters& counters, const Latencies& latencies, const Depths& depths);

// What the services see of the broker.
struct BusContext {
  const BrokerConfig& config;
  Majordomo& majordomo;
  CompositorTable& compositors;
  AlertEngine& alerts;
  Jobs& jobs;
  const Feed& feed;
  const Counters& counters;
  const Latencies& latencies;
  const Depths& depths;
  Now now;
  CommitIds& read_ids;
};

// The outcome of a call: a result to answer with, or the number of a store commit to wait for before `result` is true.
struct Answer {
  msg::Value result = msg::Value::map();
  wire::Frames attachments;
  std::optional<std::int64_t> age_ms;
  std::optional<std::uint64_t> after_commit;
  std::optional<std::uint64_t> after_read;   // of a StoreRead: the answer is made of what comes back
  std::optional<msg::EncodedEntry> encoded;  // one more entry of `result`
  Status status = Status::kDone;
};

// What both kinds of registration check. Errors: kMalformed, with the name and the range.
Result<void> check_range(std::string_view name, std::optional<std::int64_t> value, std::int64_t low, std::int64_t high);

Result<Answer> call_agent_service(const BusContext& bus, const Client& client, const msg::Call& call, Outputs& out);
Result<Answer> call_worker_service(const BusContext& bus, const Client& client, const msg::Call& call, Outputs& out);
Result<Answer> call_job_service(const BusContext& bus, const msg::Call& call, Outputs& out);
Result<Answer> call_alert_service(const BusContext& bus, const msg::Call& call, Outputs& out);
Result<Answer> call_manifest_service(const BusContext& bus, const msg::Call& call, Outputs& out);
// The same call again, with what the store has answered.
Result<Answer> answer_manifest_call(const BusContext& bus, const msg::Call& call, const StoreRows& rows);
Result<Answer> call_status_service(const BusContext& bus, const msg::Call& call, Outputs& out);
// bus.status history, outages, sla, and the same call again with what the store has answered.
Result<Answer> call_history_service(const BusContext& bus, const msg::Call& call, Outputs& out);
Result<Answer> answer_history_call(const BusContext& bus, const msg::Call& call, const StoreQuery& query,
                                   const StoreRows& rows);
Result<Answer> call_admin_service(const BusContext& bus, const msg::Call& call);

}  // namespace compositord::broker
