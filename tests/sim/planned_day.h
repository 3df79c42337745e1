#pragma once
// A bus in virtual time with silences and maintenance windows, of which many end while there is no broker. At each place there is one
// fault and one window at a time, which lie to each other as chance has it: what is wrong outside of a window is told, once, what is
// wrong within is not, and nothing stays hidden when its window is over. run() ends with the list of what was wrong.

#include <cstdint>
#include <map>
#include <string>

#include "common/msg/alert_window.h"
#include "tests/sim/day.h"

namespace compositord::sim {

class PlannedDay final : public Day {
 public:
  explicit PlannedDay(const DayConfig& config);

  // What came to pass and was as it must be, and how often.
  const std::map<std::string, std::uint64_t>& seen() const noexcept { return seen_; }

 private:
  // A fault and a window at one place.
  struct Case {
    std::size_t place = 0;
    std::string about;
    std::string what;
    Instant fault_begin;
    Instant fault_end;
    msg::WindowKind kind = msg::WindowKind::kSilence;
    std::string window;    // its id; empty: not made yet
    Instant window_begin;  // and its end: as they came to be
    Instant window_end;
    // What is known of the alert.
    std::string life;
    msg::Alert last;
    Instant changed_at;      // the last time that something new was told of it
    bool forgotten = false;  // perhaps: the broker died before it was on disk
    std::uint64_t notices = 0;
    std::uint64_t notice_change = 0;  // the last one
    msg::AlertSeverity notice_severity = msg::AlertSeverity::kInfo;
    bool end_noticed = false;
  };

  void happen() override;
  void take(const msg::Alert& alert) override;
  void check_all_over() override;
  void begin_case(std::size_t place);
  void begin_fault(Case& c, const LastingFault& fault);
  void make_window(const std::string& id, Duration length, Duration begins_in, bool by_label);
  void stop_window(const std::string& id);
  void stop_broker(Duration lasts);
  void audit(const std::string& id);
  void audit_alert(Case& c);
  void finish(const std::string& id);
  void notified(const msg::Alert& alert);
  void wrong(const Case& c, std::string_view what);
  bool in_window(const Case& c, Instant at, Duration settled) const;

  std::map<std::string, Case> cases_;        // by the compositor's id
  std::map<std::string, std::size_t> lost_;  // cases whose agent is lost, by site
  std::map<std::string, std::uint64_t> seen_;
  std::map<std::string, Instant> over_;  // alerts of cases that are over
  Instant started_at_;                   // the broker
  Instant settled_at_;                   // what was asked for is on disk by then
};

}  // namespace compositord::sim
