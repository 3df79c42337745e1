#pragma once
// `bus.agent register`: what an agent says of itself, and what was agreed. Source: schemas/messages/register*.json.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/msg/fields.h"

namespace compositord::msg {

struct Software {
  std::string name;
  std::string version;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("name", m.name);
    v("version", m.version);
  }
};

struct Registration {
  std::string id;
  std::map<std::string, std::string> labels;
  std::optional<std::int64_t> heartbeat_ms;  // wanted; 50 … 60 000
  std::optional<std::int64_t> liveness;      // wanted; 2 … 10
  std::optional<Software> software;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("id", m.id);
    v.optional("labels", m.labels);
    v("heartbeat_ms", m.heartbeat_ms);
    v("liveness", m.liveness);
    v("software", m.software);
  }
};

struct Registered {
  std::uint64_t epoch = 0;    // of the broker: a new one means that it was restarted
  std::uint64_t session = 0;  // of this agent within the epoch
  std::int64_t heartbeat_ms = 0;
  std::int64_t liveness = 0;
  std::int64_t credit = 0;
  std::string manifest_hash;  // what the broker has of this compositor; empty: nothing

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("epoch", m.epoch);
    v("session", m.session);
    v("heartbeat_ms", m.heartbeat_ms);
    v("liveness", m.liveness);
    v("credit", m.credit);
    v.optional("manifest_hash", m.manifest_hash);
  }
};

// `bus.worker register`: the same for a worker that is no compositor's agent.
struct WorkerRegistration {
  std::string service;                       // READY must name it
  std::optional<std::int64_t> credit;        // wanted: requests outstanding at this worker; 1 … 1024
  std::optional<std::int64_t> heartbeat_ms;  // wanted; 50 … 60 000
  std::optional<std::int64_t> liveness;      // wanted; 2 … 10
  std::optional<bool> idempotent;            // what it leaves undone may be done again by another worker

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("service", m.service);
    v("credit", m.credit);
    v("heartbeat_ms", m.heartbeat_ms);
    v("liveness", m.liveness);
    v("idempotent", m.idempotent);
  }
};

struct WorkerRegistered {
  std::uint64_t epoch = 0;
  std::uint64_t session = 0;  // of this worker within the epoch
  std::int64_t heartbeat_ms = 0;
  std::int64_t liveness = 0;
  std::int64_t credit = 0;
  bool idempotent = false;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("epoch", m.epoch);
    v("session", m.session);
    v("heartbeat_ms", m.heartbeat_ms);
    v("liveness", m.liveness);
    v("credit", m.credit);
    v("idempotent", m.idempotent);
  }
};

inline constexpr std::int64_t kCreditMin = 1;
inline constexpr std::int64_t kCreditMax = 1'024;
inline constexpr std::int64_t kHeartbeatMsMin = 50;
inline constexpr std::int64_t kHeartbeatMsMax = 60'000;
inline constexpr std::int64_t kLivenessMin = 2;
inline constexpr std::int64_t kLivenessMax = 10;

}  // namespace compositord::msg
