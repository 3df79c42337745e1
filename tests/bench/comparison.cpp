#include "tests/bench/comparison.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "tests/bench/percentiles.h"
#include "tests/bench/process_usage.h"

namespace compositord::bench {

namespace {

template <class Value>
double median_of(const std::vector<Slice>& slices, Value value) {
  std::vector<double> values;
  for (const Slice& slice : slices) values.push_back(value(slice));
  return median(std::move(values));
}

void run_slice(RoundTrips& client, pid_t middle, Side& side, const Pace& pace) {
  const double cpu_before = cpu_seconds(middle);
  side.slices.push_back(client.run(pace.slice, pace.answers_max));
  side.slices.back().middle_cpu_seconds = cpu_seconds(middle) - cpu_before;
  side.faults += side.slices.back().faults;
}

std::string json_of(const Side& side) {
  return fmt::format(
      R"({{"round_trips_per_s": {:.0f}, "p50_us": {:.1f}, "p99_us": {:.1f}, "cpu_us": {:.2f}, "lost": {}, "duplicates": {}, "wrong": {}}})",
      side.per_second(), side.p50_us(), side.p99_us(), side.cpu_us(), side.faults.lost, side.faults.duplicates,
      side.faults.wrong);
}

}  // namespace

double Side::per_second() const {
  return median_of(slices, [](const Slice& slice) { return slice.per_second(); });
}
double Side::p50_us() const {
  return median_of(slices, [](const Slice& slice) { return slice.p50_us; });
}
double Side::p99_us() const {
  return median_of(slices, [](const Slice& slice) { return slice.p99_us; });
}

double Side::cpu_us() const {
  return median_of(slices, [](const Slice& slice) {
    return slice.answers > 0 ? slice.middle_cpu_seconds * 1e6 / static_cast<double>(slice.answers) : 0;
  });
}

double Comparison::ratio() const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(broker.slices.size(), proxy.slices.size()); ++i) {
    const Slice& ours = broker.slices[i];
    const Slice& theirs = proxy.slices[i];
    const double below = figure == Figure::kRate ? theirs.per_second() : theirs.p50_us;
    if (below > 0) ratios.push_back((figure == Figure::kRate ? ours.per_second() : ours.p50_us) / below);
  }
  return median(std::move(ratios));
}

bool Comparison::reached() const {
  const double reached = ratio();
  return figure == Figure::kRate ? reached >= wanted : reached > 0 && reached <= wanted;
}

void measure(Comparison& comparison, const Middles& middles, const Pace& pace) {
  RawContext context;
  RoundTrips broker(context, middles.broker.endpoint, comparison.load);
  RoundTrips proxy(context, middles.proxy.endpoint, comparison.load);
  comparison.broker.faults += broker.run(pace.slice / 4, pace.answers_max).faults;
  comparison.proxy.faults += proxy.run(pace.slice / 4, pace.answers_max).faults;
  for (int round = 0; round < pace.rounds; ++round) {
    const bool broker_first = round % 2 == 0;  // neither shall always have the other's heat behind it
    if (broker_first) run_slice(broker, middles.broker.pid, comparison.broker, pace);
    run_slice(proxy, middles.proxy.pid, comparison.proxy, pace);
    if (!broker_first) run_slice(broker, middles.broker.pid, comparison.broker, pace);
  }
  comparison.broker.faults += broker.late_answers();
  comparison.proxy.faults += proxy.late_answers();
}

std::string table(const std::vector<Comparison>& comparisons) {
  std::string text =
      fmt::format("{:<10} {:>11} {:>6}  {:<7} {:>9} {:>9} {:>9} {:>7} {:>7}  {}\n", "case", "outstanding", "bytes",
                  "through", "trips/s", "p50 us", "p99 us", "cpu us", "faults", "broker/proxy");
  for (const Comparison& comparison : comparisons) {
    const bool rate = comparison.figure == Figure::kRate;
    for (const Side* side : {&comparison.broker, &comparison.proxy}) {
      const bool first = side == &comparison.broker;
      const std::string verdict =
          fmt::format("{} {:.2f} (wanted {} {:.2f}: {})", rate ? "rate" : "p50", comparison.ratio(),
                      rate ? ">=" : "<=", comparison.wanted, comparison.reached() ? "reached" : "missed");
      text += fmt::format("{:<10} {:>11} {:>6}  {:<7} {:>9.0f} {:>9.1f} {:>9.1f} {:>7.2f} {:>7}  {}\n",
                          first ? comparison.name : "", comparison.load.outstanding, comparison.load.body_bytes,
                          first ? "broker" : "proxy", side->per_second(), side->p50_us(), side->p99_us(),
                          side->cpu_us(), side->faults.all(), first ? verdict : "");
    }
  }
  return text;
}

std::string json(const std::vector<Comparison>& comparisons) {
  std::string text = "[\n";
  for (const Comparison& comparison : comparisons) {
    text += fmt::format(
        R"(  {{"case": "{}", "outstanding": {}, "body_bytes": {}, "figure": "{}", "ratio": {:.3f}, "wanted": {:.2f}, )"
        R"("reached": {}, "broker": {}, "proxy": {}}}{})",
        comparison.name, comparison.load.outstanding, comparison.load.body_bytes,
        comparison.figure == Figure::kRate ? "rate" : "p50", comparison.ratio(), comparison.wanted,
        comparison.reached(), json_of(comparison.broker), json_of(comparison.proxy),
        &comparison == &comparisons.back() ? "\n" : ",\n");
  }
  return text + "]\n";
}

}  // namespace compositord::bench
