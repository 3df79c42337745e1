#pragma once
// The same load through the broker and through its rival, slice by slice in turn, and what came out of it.

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/bench/round_trips.h"

namespace compositord::bench {

// One side of a comparison, added up over its slices.
struct Side {
  std::vector<Slice> slices;
  Faults faults;
  double per_second() const;  // the medians over the slices
  double p50_us() const;
  double p99_us() const;
  double cpu_us() const;  // of the broker or its rival, all threads, for a round trip
};

// What is asked of the broker, as a ratio to the rival.
enum class Figure { kRate, kP50 };

struct Comparison {
  std::string name;
  Load load;
  Figure figure = Figure::kRate;
  double wanted = 0;  // kRate: at least; kP50: at most
  Side broker;
  Side proxy;
  // The median over the rounds of broker/proxy: each round compares neighbours in time, whatever else the machine does.
  double ratio() const;
  bool reached() const;
};

// What a client connects to, and the process that is there.
struct Middle {
  std::string endpoint;
  pid_t pid = 0;
};
struct Middles {
  Middle broker;
  Middle proxy;
};
struct Pace {
  int rounds = 0;
  Duration slice{};
  std::uint64_t answers_max = 0;  // of one slice; 0: as many as come
};

// Fills both sides. A short slice of each comes first and isn't counted.
void measure(Comparison& comparison, const Middles& middles, const Pace& pace);

std::string table(const std::vector<Comparison>& comparisons);
std::string json(const std::vector<Comparison>& comparisons);

}  // namespace compositord::bench
