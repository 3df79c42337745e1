#pragma once
// What a change of single outputs means for Mutter's whole layout. Mutter takes complete layouts only, and refuses those that have gaps,
// overlap, or don't begin at 0,0; so when an output changes its size, comes or goes, its neighbours move along. Pure functions.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/mutter/display_state.h"
#include "agent/output/output_manager.h"
#include "common/base/result.h"

namespace compositord::agent::mutter {

// One place of a wished layout.
struct Place {
  std::int32_t x = 0;
  std::int32_t y = 0;
  std::int32_t width = 0;  // in the layout's own units
  std::int32_t height = 0;
  double scale = 1.0;
  msg::Transform transform = msg::Transform::k0;
  bool primary = false;
  std::vector<std::pair<std::string, std::string>> monitors;  // connector, mode id
};

// The layout with these changes. A position that a change says is kept as it is, whether Mutter takes it or not.
// Errors: kFailed with a sentence: no such monitor or mode, or a scale that the mode does not take, with those it takes.
Result<std::vector<Place>> lay_out(const DisplayState& state, const std::vector<HeadChange>& changes);

// Whether Mutter takes such places: no overlap, each but a single one touching another, and the first at 0,0.
bool is_acceptable(const std::vector<Place>& places);

}  // namespace compositord::agent::mutter
