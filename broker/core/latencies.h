#pragma once
// How long the broker takes, as it sees it itself, since its start and in the last complete interval.

#include <vector>

#include "common/base/histogram.h"
#include "common/msg/value.h"

namespace compositord::broker {

class Latencies {
 public:
  // A request went to a worker, so long after it came. How long the turn still took is added at its end.
  void routed(Duration waited) { routed_in_this_turn_.push_back(waited); }
  // A worker answered, so long after it had been given the request.
  void answered(Duration took) { add(&Set::answer, took); }
  // The turn before this one was busy for so long; this one began so late.
  void turn(Duration busy, Duration late);
  // An interval has ended: what was counted in it is `recent` until the next one ends.
  void end_interval();

  // {"since_start": {"routing": {"count", "p50_us", "p99_us", "p999_us", "max_us"}, "answer": …, "turn": …, "lateness": …},
  //  "recent": the same}
  msg::Value to_value() const;

 private:
  struct Set {
    Histogram routing;   // from the arrival of a request to its being sent, waiting for a worker included
    Histogram answer;    // from there to the worker's last answer
    Histogram turn;      // from waking up to having done everything
    Histogram lateness;  // of waking up
  };
  void add(Histogram Set::*which, Duration duration);

  Set since_start_;
  Set current_;
  Set recent_;
  std::vector<Duration> routed_in_this_turn_;
  std::vector<Duration> routed_in_last_turn_;
};

}  // namespace compositord::broker
