#include "broker/core/latencies.h"

#include <utility>

namespace compositord::broker {

namespace {

std::int64_t to_us(Duration d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); }

msg::Value summary(const Histogram& histogram) {
  return msg::Value::map({{"count", histogram.count()},
                          {"p50_us", to_us(histogram.quantile(0.5))},
                          {"p99_us", to_us(histogram.quantile(0.99))},
                          {"p999_us", to_us(histogram.quantile(0.999))},
                          {"max_us", to_us(histogram.max())}});
}

}  // namespace

void Latencies::add(Histogram Set::*which, Duration duration) {
  (since_start_.*which).add(duration);
  (current_.*which).add(duration);
}

void Latencies::turn(Duration busy, Duration late) {
  for (const Duration waited : routed_in_last_turn_) add(&Set::routing, waited + busy);
  routed_in_last_turn_.clear();
  std::swap(routed_in_last_turn_, routed_in_this_turn_);
  add(&Set::turn, busy);
  add(&Set::lateness, late);
}

void Latencies::end_interval() {
  recent_ = current_;
  current_ = Set();
}

msg::Value Latencies::to_value() const {
  const auto set = [](const Set& s) {
    return msg::Value::map({{"routing", summary(s.routing)},
                            {"answer", summary(s.answer)},
                            {"turn", summary(s.turn)},
                            {"lateness", summary(s.lateness)}});
  };
  return msg::Value::map({{"since_start", set(since_start_)}, {"recent", set(recent_)}});
}

}  // namespace compositord::broker
