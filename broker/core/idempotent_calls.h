#pragma once
// Calls with an `idem` key: the same key at the same service is carried out once, and whoever repeats it gets the outcome
// of the first one: at once when it has ended, with it when it is still under way. Source: schemas/PROTOCOL.md "Calls".
//
// The keys are the callers' and shared by all of them, for a caller that repeats itself often does so over a new
// connection. What certainly was not carried out (503, 429; also when the worker says so) is not kept: the next call with that key is
// the first again.

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "broker/core/broker_config.h"
#include "broker/core/counters.h"
#include "broker/core/outputs.h"
#include "broker/core/request_table.h"

namespace compositord::broker {

class IdempotentCalls {
 public:
  IdempotentCalls(const BrokerConfig& config, Counters& counters) : config_(config), counters_(counters) {}

  // Takes a call with a key. The number for Client::key when it is the first: it is then to be routed. Nothing when it has
  // been answered, refused (409: other parameters under the same key; 429) or will be with the first one.
  std::optional<std::uint64_t> admit(const Client& client, const CallMark& call, const std::string& idem,
                                     const wire::Frames& body, Outputs& out);
  // Whether admit() would answer a call with this key by itself, now or later: nobody is needed to carry it out.
  bool knows(const std::string& service, const std::string& idem) const;
  void on_outcome(Outcome&& outcome, Instant now, Outputs& out);
  // Forgets what is older than it need be.
  void forget_old(Instant now);

  std::size_t size() const noexcept { return calls_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }
  bool check_invariants() const;

 private:
  struct Caller {
    Client client;
    CallMark call;
  };
  // A part of the answer as it is kept: a worker's body, or the broker's own word.
  struct Part {
    bool final = true;
    bool answered = true;
    wire::Frames body;
    Error error;  // unless it was answered
  };
  using Key = std::pair<std::string, std::string>;  // service and idem key
  struct CallEntry {
    Key key;
    std::string digest;  // of method and parameters
    std::vector<Caller> callers;
    std::vector<Part> parts;
    std::size_t bytes = 0;
    bool ended = false;
    bool too_large = false;  // the parts are not all here
    Instant ended_at;
  };

  void tell(const Caller& caller, const Part& part, Outputs& out);
  static std::size_t bytes_of(const Part& part);
  void keep(std::uint64_t number, CallEntry& entry, Part&& part);
  void keep_late(std::uint64_t number, CallEntry& entry, Part&& part);
  void erase(std::uint64_t number);
  void make_room();
  // False: there is none, whatever ended outcome but `number`'s is forgotten.
  bool make_room_for(std::size_t bytes, std::uint64_t number);

  const BrokerConfig& config_;
  Counters& counters_;
  std::unordered_map<std::uint64_t, CallEntry> calls_;
  std::map<Key, std::uint64_t> by_key_;
  std::deque<std::uint64_t> ended_;  // in the order in which they ended; may name some that are gone
  std::size_t bytes_ = 0;
  std::uint64_t last_number_ = 0;
};

// Of a call's method, parameters and attachments: the rest of a header may differ from one repetition to the next.
std::string digest_of(const wire::Frames& body);

}  // namespace compositord::broker
