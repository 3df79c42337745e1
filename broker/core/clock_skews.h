#pragma once
// Whose clock is wrong: what the calendars of all connected agents say of the broker's. Told as where a calendar stood at the
// origin of the broker's monotonic clock, they stay as they are when the broker's own calendar jumps.
// Source: schemas/PROTOCOL.md "Alerts".

#include <cstddef>
#include <cstdint>
#include <map>

namespace compositord::broker {

class ClockSkews {
 public:
  // An agent's calendar, Unix ms at the origin. remove() takes what add() was given.
  void add(std::int64_t unix_ms_at_origin);
  void remove(std::int64_t unix_ms_at_origin);
  std::size_t agents() const noexcept { return agents_; }

  // The skew in the middle of all of them, against a broker's calendar, and how many differ from it by `skew_max_ms` at most:
  // when more than half of the agents show about the same skew, it is theirs.
  struct Middle {
    std::int64_t skew_ms = 0;  // above 0: the agents are ahead
    std::size_t agents = 0;    // that share it
  };
  // There must be an agent.
  Middle middle(std::int64_t broker_unix_ms_at_origin, std::int64_t skew_max_ms) const;

  // Messages are under way for different times: what differs by less is one clock, and a fleet has few.
  static constexpr std::int64_t kGrainMs = 100;

 private:
  struct Grain {
    std::size_t agents = 0;
    std::int64_t last = 0;  // that was added
  };
  std::map<std::int64_t, Grain> grains_;  // by the agents' calendars, in grains
  std::size_t agents_ = 0;
};

}  // namespace compositord::broker
