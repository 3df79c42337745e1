#pragma once
// A client that keeps a number of requests outstanding and looks at every answer: the right one, once, and unchanged.

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/instant.h"
#include "tests/bench/raw_socket.h"

namespace compositord::bench {

struct Load {
  std::string service;
  std::size_t outstanding = 1;
  std::size_t body_bytes = 64;  // at least 16
};

struct Faults {
  std::uint64_t lost = 0;        // requests without an answer
  std::uint64_t duplicates = 0;  // answers to what was answered already
  std::uint64_t wrong = 0;       // answers that nobody asked for, or with other bytes
  std::uint64_t all() const noexcept { return lost + duplicates + wrong; }
  Faults& operator+=(const Faults& more) noexcept;
};

struct Slice {
  std::uint64_t answers = 0;  // within `seconds`; what was still outstanding then is only checked
  double seconds = 0;
  double p50_us = 0;
  double p99_us = 0;
  double middle_cpu_seconds = 0;  // of the process in the middle, meanwhile
  Faults faults;
  double per_second() const noexcept { return seconds > 0 ? static_cast<double>(answers) / seconds : 0; }
};

class RoundTrips {
 public:
  RoundTrips(RawContext& context, const std::string& endpoint, Load load);

  // For `time`, or until `answers_max` have come if that is not 0. Ends when nothing is outstanding any more.
  Slice run(Duration time, std::uint64_t answers_max = 0);
  // Answers that come when none is due. To be called at the very end.
  Faults late_answers();

 private:
  struct Request {
    Instant sent;
    bool answered = false;
  };
  void send_next();
  // Its request, when it is the answer to one of this slice that has none yet; otherwise counts the fault.
  Request* match(RawMessage& answer, Faults& faults);

  Load load_;
  RawSocket socket_;
  std::string body_;               // sequence number, filling, sequence number
  std::uint64_t first_ = 0;        // sequence number of requests_[0]
  std::vector<Request> requests_;  // of this slice
};

}  // namespace compositord::bench
