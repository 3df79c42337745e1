#include "agent/mutter/layout.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <tuple>

#include <fmt/format.h>

namespace compositord::agent::mutter {

namespace {

// Half of the smallest step between two scales that Mutter offers.
constexpr double kScaleTolerance = 1.0 / 240.0;

std::string list_of_scales(const MonitorMode& mode) {
  std::string list;
  for (const double scale : mode.scales) list += fmt::format("{}{:.4g}", list.empty() ? "" : ", ", scale);
  return list.empty() ? "none" : list;
}

// The scale as Mutter's own list spells it.
std::optional<double> listed_scale(const MonitorMode& mode, double wanted) {
  for (const double scale : mode.scales) {
    if (std::abs(scale - wanted) <= kScaleTolerance) return scale;
  }
  return std::nullopt;
}

const MonitorMode* find_mode(const Monitor& monitor, const msg::Mode& wanted) {
  const auto fits = [&](const MonitorMode& m) {
    return m.mode.width_px == wanted.width_px && m.mode.height_px == wanted.height_px &&
           (wanted.refresh_mhz == 0 || m.mode.refresh_mhz == wanted.refresh_mhz);
  };
  const auto found = std::find_if(monitor.modes.begin(), monitor.modes.end(), fits);
  return found == monitor.modes.end() ? nullptr : &*found;
}

const MonitorMode* find_mode(const Monitor& monitor, const std::string& id) {
  const auto found =
      std::find_if(monitor.modes.begin(), monitor.modes.end(), [&](const MonitorMode& m) { return m.id == id; });
  return found == monitor.modes.end() ? nullptr : &*found;
}

// The mode it has, else the one it would like, else its first.
const MonitorMode* natural_mode(const Monitor& monitor) {
  const auto with = [&](auto is) {
    const auto found = std::find_if(monitor.modes.begin(), monitor.modes.end(), is);
    return found == monitor.modes.end() ? nullptr : &*found;
  };
  if (const auto* current = with([](const MonitorMode& m) { return m.current; })) return current;
  if (const auto* preferred = with([](const MonitorMode& m) { return m.mode.preferred; })) return preferred;
  return monitor.modes.empty() ? nullptr : &monitor.modes.front();
}

bool is_turned(msg::Transform transform) { return (static_cast<unsigned>(transform) & 1U) != 0; }

void measure(Place& place, const MonitorMode& mode, bool logical) {
  const double divisor = logical ? place.scale : 1.0;
  const auto width = static_cast<std::int32_t>(std::lround(mode.mode.width_px / divisor));
  const auto height = static_cast<std::int32_t>(std::lround(mode.mode.height_px / divisor));
  place.width = is_turned(place.transform) ? height : width;
  place.height = is_turned(place.transform) ? width : height;
}

std::vector<Place> places_now(const DisplayState& state) {
  std::vector<Place> places;
  for (const LogicalMonitor& logical : state.logical_monitors) {
    Place place{logical.x, logical.y, 0, 0, logical.scale, logical.transform, logical.primary, {}};
    for (const std::string& connector : logical.connectors) {
      const Monitor* monitor = find_monitor(state, connector);
      const MonitorMode* mode = monitor == nullptr ? nullptr : natural_mode(*monitor);
      if (mode == nullptr) continue;
      place.monitors.emplace_back(connector, mode->id);
      measure(place, *mode, state.positions_are_logical);
    }
    if (!place.monitors.empty()) places.push_back(std::move(place));
  }
  return places;
}

auto place_of(std::vector<Place>& places, const std::string& connector) {
  return std::find_if(places.begin(), places.end(), [&](const Place& place) {
    return std::any_of(place.monitors.begin(), place.monitors.end(),
                       [&](const auto& m) { return m.first == connector; });
  });
}

// A place grew or shrank, or went (to 0x0): what was right of it or below it keeps touching it.
void move_neighbours(std::vector<Place>& places, const Place& before, const Place& after) {
  for (Place& place : places) {
    if (place.monitors == after.monitors) continue;
    if (place.x >= before.x + before.width) place.x += after.width - before.width;
    if (place.y >= before.y + before.height) place.y += after.height - before.height;
  }
}

void begin_at_origin(std::vector<Place>& places) {
  if (places.empty()) return;
  const auto by_x = [](const Place& a, const Place& b) { return a.x < b.x; };
  const auto by_y = [](const Place& a, const Place& b) { return a.y < b.y; };
  const std::int32_t x = std::min_element(places.begin(), places.end(), by_x)->x;
  const std::int32_t y = std::min_element(places.begin(), places.end(), by_y)->y;
  for (Place& place : places) {
    place.x -= x;
    place.y -= y;
  }
}

// Moves the others along when the layout would not be taken without; the way it was is the better one where it would be.
void settle(std::vector<Place>& places, const Place& before, const Place& after) {
  std::vector<Place> same = places;
  begin_at_origin(same);
  if (!is_acceptable(same)) {
    move_neighbours(places, before, after);
    begin_at_origin(places);
  } else {
    places = std::move(same);
  }
}

// A change under way: of one monitor, in the places of all.
class Change {
 public:
  Change(const DisplayState& state, const HeadChange& change, std::vector<Place>& places)
      : state_(state), change_(change), places_(places) {}

  Result<void> apply() {
    const Monitor* monitor = find_monitor(state_, change_.name);
    if (monitor == nullptr) return fail(Status::kFailed, fmt::format("it has no monitor {}", change_.name));
    const auto place = place_of(places_, change_.name);
    if (!change_.enabled) {
      if (place != places_.end()) remove(place);
      return {};
    }
    const MonitorMode* mode = wanted_mode(*monitor, place == places_.end() ? nullptr : &*place);
    if (mode == nullptr) return fail(Status::kFailed, fmt::format("{} has no such mode", change_.name));
    return place == places_.end() ? add(*mode) : alter(*place, *mode);
  }

 private:
  const MonitorMode* wanted_mode(const Monitor& monitor, const Place* place) const {
    if (change_.mode) return find_mode(monitor, *change_.mode);
    if (place == nullptr) return natural_mode(monitor);
    for (const auto& [connector, id] : place->monitors) {
      if (connector == change_.name) return find_mode(monitor, id);
    }
    return nullptr;
  }

  void remove(std::vector<Place>::iterator place) {
    if (place->monitors.size() > 1) {  // the others of it show the same as before
      std::erase_if(place->monitors, [&](const auto& m) { return m.first == change_.name; });
      return;
    }
    const Place before = *place;
    places_.erase(place);
    Place nothing = before;
    nothing.width = nothing.height = 0;
    settle(places_, before, nothing);
  }

  Result<void> take_scale(Place& place, const MonitorMode& mode) const {
    const double wanted = change_.scale.value_or(place.scale);
    const auto scale = listed_scale(mode, wanted);
    if (!scale) {
      return fail(Status::kFailed, fmt::format("{} at {} can't have the scale {:.4g}; it can have {}", change_.name,
                                               mode.id, wanted, list_of_scales(mode)));
    }
    place.scale = *scale;
    return {};
  }

  // At the right end of the others.
  Result<void> add(const MonitorMode& mode) {
    Place place;
    for (const Place& other : places_) {
      if (other.x + other.width <= place.x) continue;
      place.x = other.x + other.width;
      place.y = other.y;
    }
    place.scale = mode.preferred_scale;
    place.transform = change_.transform.value_or(msg::Transform::k0);
    place.monitors.emplace_back(change_.name, mode.id);
    if (auto scaled = take_scale(place, mode); !scaled) return scaled;
    measure(place, mode, state_.positions_are_logical);
    places_.push_back(std::move(place));
    return {};
  }

  Result<void> alter(Place& place, const MonitorMode& mode) {
    const Place before = place;
    for (auto& [connector, id] : place.monitors) {
      if (connector == change_.name) id = mode.id;
    }
    if (auto scaled = take_scale(place, mode); !scaled) return scaled;
    place.transform = change_.transform.value_or(place.transform);
    measure(place, mode, state_.positions_are_logical);
    if (place.width != before.width || place.height != before.height) settle(places_, before, Place(place));
    return {};
  }

  const DisplayState& state_;
  const HeadChange& change_;
  std::vector<Place>& places_;
};

bool overlap(const Place& a, const Place& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

// They share a part of an edge; a corner is not enough.
bool touch(const Place& a, const Place& b) {
  const bool beside = a.x + a.width == b.x || b.x + b.width == a.x;
  const bool above = a.y + a.height == b.y || b.y + b.height == a.y;
  return (beside && a.y < b.y + b.height && b.y < a.y + a.height) ||
         (above && a.x < b.x + b.width && b.x < a.x + a.width);
}

}  // namespace

bool is_acceptable(const std::vector<Place>& places) {
  if (places.empty()) return false;
  std::int32_t x = places.front().x;
  std::int32_t y = places.front().y;
  for (std::size_t i = 0; i < places.size(); ++i) {
    x = std::min(x, places[i].x);
    y = std::min(y, places[i].y);
    bool touches = places.size() == 1;
    for (std::size_t k = 0; k < places.size(); ++k) {
      if (k == i) continue;
      if (overlap(places[i], places[k])) return false;
      touches = touches || touch(places[i], places[k]);
    }
    if (!touches) return false;
  }
  return x == 0 && y == 0;
}

Result<std::vector<Place>> lay_out(const DisplayState& state, const std::vector<HeadChange>& changes) {
  std::vector<Place> places = places_now(state);
  for (const HeadChange& change : changes) {
    if (auto applied = Change(state, change, places).apply(); !applied) return tl::unexpected(applied.error());
  }
  // Last, so that no neighbour moves what was told where to be.
  for (const HeadChange& change : changes) {
    const auto place = place_of(places, change.name);
    if (change.position && place != places.end()) std::tie(place->x, place->y) = *change.position;
  }
  const bool has_primary = std::any_of(places.begin(), places.end(), [](const Place& place) { return place.primary; });
  if (!has_primary && !places.empty()) places.front().primary = true;
  return places;
}

}  // namespace compositord::agent::mutter
