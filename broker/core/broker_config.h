#pragma once
// What the broker's core may be told. Every number has a default that needs no configuration file.
// Source: design of the limits: schemas/PROTOCOL.md "Limits".

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "broker/core/alert_config.h"
#include "broker/core/service_rules.h"
#include "common/base/instant.h"

namespace compositord::broker {

struct Limits {
  std::size_t frames_per_message_max = 64;
  std::size_t bytes_per_frame_max = 8U << 20U;
  std::size_t bytes_per_message_max = 64U << 20U;  // a whole message
  std::size_t bytes_per_manifest_max = 1U << 20U;  // of its canonical MessagePack
  std::size_t open_requests_per_client_max = 1'024;
  std::size_t open_requests_max = 1'000'000;
  std::size_t queued_requests_per_service_max = 1'000;
  std::size_t queued_bytes_per_service_max = 64U << 20U;
  std::size_t queued_bytes_per_client_max = 64U << 20U;
  std::size_t queued_bytes_max = 256U << 20U;  // over all services
  std::size_t services_max = 100'000;
  std::size_t workers_max = 200'000;
  std::size_t agents_max = 100'000;
  std::size_t feed_prefixes_max = 100'000;
  std::size_t jobs_max = 10'000;                 // kept, ended ones included
  std::size_t job_bytes_max = 256U << 20U;       // of all of them: what was asked and what was answered
  std::size_t job_result_bytes_max = 8U << 20U;  // of one answer
  std::size_t idem_calls_max = 10'000;           // outcomes that are kept for repeated calls
  std::size_t idem_bytes_max = 64U << 20U;       // of all of them
  std::size_t group_calls_max = 1'000;           // under way
  std::size_t group_targets_max = 10'000;        // of one group call
  std::size_t status_changes_max = 1'000'000;    // kept in the store, of all compositors
};

struct BrokerConfig {
  // What an agent gets when it asks for nothing, and what every plain MDP worker gets.
  Duration heartbeat_interval = std::chrono::seconds(1);
  int heartbeat_liveness = 3;  // this many silent intervals and the worker is lost
  int agent_credit = 8;        // requests outstanding at one agent; plain MDP workers have 1, as 18/MDP says
  // A request that names no deadline, and the longest that one may name.
  Duration default_deadline = std::chrono::seconds(10);
  Duration deadline_max = std::chrono::hours(1);
  // How long a plain MDP request waits for a worker before it is dropped and counted.
  Duration plain_request_expiry = std::chrono::seconds(30);
  // A queued call that names no time to live, the longest that one may name, and how long results are kept.
  Duration job_time_to_live = std::chrono::hours(1);
  Duration job_time_to_live_max = std::chrono::hours(720);
  Duration job_keep = std::chrono::hours(24);
  // How long the outcome of a call with an idem key is kept for its repetitions.
  Duration idem_keep = std::chrono::hours(1);
  // From the word that a connection closed to `lost`, asking in between. See Majordomo::disconnected.
  Duration disconnect_grace = std::chrono::milliseconds(60);
  int manifest_revisions = 10;  // how many of a compositor's manifests are kept, the present one included
  int history_days = 90;        // how long changes of status are kept
  std::vector<ServiceRule> services;
  AlertConfig alerts;
  Limits limits;
  std::string log_level = "info";  // "debug", "info", "warning", "error": the least severity that is logged
  // The known kinds of compositor, an array of map in MessagePack (broker/config/catalogue.h), and how many entries of the
  // operator's own file were refused.
  std::string catalogue;
  std::uint64_t catalogue_refused = 0;
  // Where the loop has bound its sockets, for `bus.admin config`: a tool that knows the bus can find the feed.
  std::vector<std::string> bus_endpoints;
  std::vector<std::string> feed_endpoints;
};

}  // namespace compositord::broker
