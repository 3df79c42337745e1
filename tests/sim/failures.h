#pragma once
// What a run found to be wrong, as sentences with their virtual time.

#include <string>
#include <vector>

#include "tests/sim/event_queue.h"

namespace compositord::sim {

class Failures {
 public:
  explicit Failures(const EventQueue& events) : events_(events) {}
  void add(const std::string& text);
  const std::vector<std::string>& all() const noexcept { return all_; }
  const bool& any() const noexcept { return any_; }  // by reference: the event loop watches it
  // What was said last, by anybody; the first failure keeps it for the reader.
  void note(const std::string& line);
  std::string story() const;

 private:
  std::string stamped(const std::string& text) const;

  const EventQueue& events_;
  std::vector<std::string> all_;
  std::vector<std::string> notes_;
  bool any_ = false;
};

}  // namespace compositord::sim
