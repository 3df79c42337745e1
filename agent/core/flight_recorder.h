#pragma once
// What is told of a crash: the compositor's last lines, and the agent's events and probe times of the minute before it.
// Bounded in every direction, so that a flood of output or events costs a fixed amount of memory and message. Pure.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "common/base/instant.h"
#include "common/msg/status.h"

namespace compositord::agent {

class FlightRecorder {
 public:
  static constexpr std::size_t kLinesMax = 200;
  static constexpr std::size_t kLineBytesMax = 512;
  static constexpr std::size_t kEventsMax = 128;
  static constexpr std::size_t kEventBytesMax = 256;
  static constexpr std::size_t kProbesMax = 64;
  static constexpr Duration kMemory = std::chrono::seconds(60);
  // Of the texts in one report, together with the probes less than 32 KiB.
  static constexpr std::size_t kReportLogBytesMax = std::size_t{20} * 1024;
  static constexpr std::size_t kReportEventBytesMax = std::size_t{8} * 1024;

  // A new process: what the last one printed is not its word.
  void forget_output();
  // What the compositor printed, cut anywhere. Lines are kept as printable text.
  void printed(std::string_view bytes);
  // `text`: printable, as to_text() makes it.
  void event(Instant now, std::string_view text);
  void probe(Instant now, Duration round_trip);

  // The newest of it that fits, oldest first.
  msg::Crash report(Instant now, std::int64_t unix_ms_at_origin) const;

 private:
  struct Event {
    Instant at;
    std::string text;
  };
  struct Probe {
    Instant at;
    Duration round_trip{};
  };
  void keep_line();

  std::deque<std::string> lines_;
  std::string unfinished_;  // the line that has no end yet, as far as it will be kept
  std::deque<Event> events_;
  std::deque<Probe> probes_;
};

}  // namespace compositord::agent
