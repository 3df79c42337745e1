#pragma once
// A client that asks all the time, and knows what it has asked: every call ends exactly once, with a status by its deadline or
// with the connection that it was made on.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/msg/envelope.h"
#include "tests/sim/failures.h"
#include "tests/sim/ledger.h"
#include "tests/sim/link.h"

namespace compositord::sim {

class SimClient {
 public:
  SimClient(EventQueue& events, std::uint64_t seed, SimBroker& broker, Failures& failures, Ledger& ledger,
            std::string name, std::vector<std::string> compositors);
  SimClient(const SimClient&) = delete;
  SimClient& operator=(const SimClient&) = delete;

  void start();
  void stop_asking() noexcept { asking_ = false; }
  Link& link() noexcept { return link_; }
  // Until then the network or the broker owes nobody punctuality.
  void excuse_until(Instant until);
  void say_rubbish();
  // Fails when a call is still open.
  void check_all_ended();
  // How often each status came back; 0 counts the calls that ended with their connection.
  const std::map<int, std::uint64_t>& ends() const noexcept { return ends_; }

 private:
  struct Open {
    Instant asked_at;
    Duration deadline{};
    std::string what;
    std::string mark{};                           // of a task in the ledger
    bool queued = false;                          // it is a job
    bool old = false;                             // asked in MDP 0.1, which has no PARTIALs
    std::string pattern{};                        // of a group call: whom it selects
    std::map<std::string, std::int64_t> parts{};  // statuses that came by PARTIALs
  };
  void next_call();
  void ask();
  msg::Call make_call(std::string& service, Open& open);
  msg::Call make_task(const Task& task, std::string& service, Open& open);
  void make_group_call(msg::Call& call, Open& open);
  void received_part(Open& open, const msg::Reply& reply);
  void check_group(const Open& open, const msg::Reply& reply);
  void received(wire::Frames frames);
  void disconnected();
  void look_for_overdue();
  bool overdue(const Open& open) const;

  EventQueue& events_;
  Random random_;
  SimBroker& broker_;
  Failures& failures_;
  Ledger& ledger_;
  std::string name_;
  std::vector<std::string> compositors_;
  Link link_;
  bool asking_ = true;
  std::int64_t last_id_ = 0;
  std::map<std::int64_t, Open> open_;
  std::map<int, std::uint64_t> ends_;
  Instant excused_until_;
};

}  // namespace compositord::sim
