#pragma once
// What differs between two trees of plain data, as paths that people can read: outputs[DP-1].current_mode.width_px.

#include <optional>
#include <string>
#include <vector>

#include "common/msg/value.h"

namespace compositord::broker {

struct ValueChange {
  std::string path;
  std::optional<msg::Value> before;  // empty: it was not there
  std::optional<msg::Value> after;   // empty: it is gone
  friend bool operator==(const ValueChange&, const ValueChange&) = default;
};

struct ValueDiff {
  std::vector<ValueChange> changes;
  bool more = false;  // there are more than were wanted
};

// Maps are compared key by key in the order of their keys. Arrays of maps that each have a `name` of their own are compared
// name by name, whatever their order; any other array is one value. The same two values always give the same list.
ValueDiff diff(const msg::Value& before, const msg::Value& after, std::size_t changes_max);

}  // namespace compositord::broker
