#pragma once
// What a run found to be wrong, as sentences with their virtual time.

#include <deque>
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
  void note(std::string line);
  std::string story() const;

 private:
  // Its text is made when somebody reads it: nearly all of them are never read.
  struct Note {
    Instant at;
    std::string text;
  };
  static std::string stamped(const Note& note);

  const EventQueue& events_;
  std::vector<std::string> all_;
  std::deque<Note> notes_;
  bool any_ = false;
};

}  // namespace compositord::sim
