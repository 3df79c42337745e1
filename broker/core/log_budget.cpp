#include "broker/core/log_budget.h"

#include <algorithm>
#include <utility>

namespace compositord::broker {

namespace {

// What agents do is never left out: operators look for it, and no peer can do it without registering an id.
bool is_about_an_agent(const LogEvent& event) {
  return std::any_of(event.fields.begin(), event.fields.end(), [](const auto& field) { return field.first == "id"; });
}

}  // namespace

bool LogBudget::take(const LogEvent& event) {
  const auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& one) { return one.name == event.name; });
  if (kind == kinds_.end() || is_about_an_agent(event)) return true;
  if (kind->left > 0) {
    --kind->left;
    return true;
  }
  ++kind->left_out;
  return false;
}

std::vector<LogBudget::LeftOut> LogBudget::renew() {
  std::vector<LeftOut> left_out;
  for (Kind& kind : kinds_) {
    kind.left = kEventsMax;
    if (kind.left_out > 0) left_out.push_back({kind.name, std::exchange(kind.left_out, 0)});
  }
  return left_out;
}

}  // namespace compositord::broker
