#pragma once
// bus.group: one call to many compositors. Source: schemas/PROTOCOL.md "Group calls".
//
// `call` with {selector, method, params?, batch?, max_fail?}; the header's deadline is for all of it. At most `batch`
// targets are busy at a time (0: all at once); when more than `max_fail` have failed no further one is begun. Each target that
// ends is told at once as a PARTIAL {id, status, error?, result}; the FINAL has the whole table without results.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/core/broker_config.h"
#include "broker/core/compositor_table.h"
#include "broker/core/counters.h"
#include "broker/core/majordomo.h"

namespace compositord::broker {

class GroupCalls {
 public:
  GroupCalls(const BrokerConfig& config, Majordomo& majordomo, CompositorTable& compositors, Counters& counters)
      : config_(config), majordomo_(majordomo), compositors_(compositors), counters_(counters) {}

  // Begins a group call. Errors, before anything has been done: kMalformed, kNotFound (nothing is selected), kLimit, kTooLarge.
  Result<void> begin(const Client& client, const msg::Call& call, Duration deadline, Instant now, Outputs& out);
  void on_outcome(Outcome&& outcome, Instant now, Outputs& out);
  // From now on no target is begun: the broker is about to end.
  void stop() noexcept { stopping_ = true; }

  std::size_t size() const noexcept { return calls_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }  // of the parameters of all of them
  bool check_invariants() const;

 private:
  struct Target {
    std::string id;
    std::optional<std::uint16_t> status;  // when it has ended
    std::string error;
  };
  struct GroupCall {
    Client client;
    CallMark call;
    std::string method;
    wire::Frame params;  // as each target gets them
    std::vector<Target> targets;
    std::size_t next = 0;  // the first target that was not begun
    std::size_t busy = 0;
    std::size_t failed = 0;
    std::size_t batch = 0;
    std::size_t max_fail = 0;
    Instant deadline;
    std::string_view stopped_by = {};  // why no further target is begun, since there was a reason
  };
  // One target that is busy.
  struct Place {
    std::uint64_t call = 0;
    std::size_t target = 0;
  };

  // Errors: kLimit, when no room is left for a call with so many bytes of parameters.
  Result<void> check_room(const Client& client, std::size_t bytes) const;
  void go_on(std::uint64_t number, Instant now, Outputs& out);
  // Whether a further target may be begun; if not, the reason is kept.
  bool may_begin(GroupCall& group, Instant now) const;
  void begin_target(std::uint64_t number, GroupCall& group, std::size_t target, Instant now, Outputs& out);
  void end_target(GroupCall& group, std::size_t target, const msg::Reply& reply, Outputs& out);
  void finish(std::uint64_t number, Outputs& out);

  const BrokerConfig& config_;
  Majordomo& majordomo_;
  CompositorTable& compositors_;
  Counters& counters_;
  std::unordered_map<std::uint64_t, GroupCall> calls_;
  std::unordered_map<std::uint64_t, Place> busy_;  // by Client::key
  std::size_t bytes_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t last_key_ = 0;
  bool stopping_ = false;
};

}  // namespace compositord::broker
