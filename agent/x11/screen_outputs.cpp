#include "agent/x11/screen_outputs.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

namespace compositord::agent::x11 {

namespace {

struct Reading {
  XConnection& connection;
  xcb_atom_t edid;
  std::function<void(std::optional<ScreenOutputs>)> done;
  ScreenOutputs screen;
};
using SharedReading = std::shared_ptr<Reading>;

std::string output_name(const xcb_randr_get_output_info_reply_t* info) {
  return {reinterpret_cast<const char*>(xcb_randr_get_output_info_name(info)),
          static_cast<std::size_t>(xcb_randr_get_output_info_name_length(info))};
}

void take_output(Reading& r, std::size_t index, const void* reply) {
  const auto* info = static_cast<const xcb_randr_get_output_info_reply_t*>(reply);
  if (info == nullptr) return;
  ScreenOutput& output = r.screen.outputs[index];
  output.output.name = output_name(info);
  output.output.width_mm = info->mm_width;
  output.output.height_mm = info->mm_height;
  output.is_connected = info->connection == XCB_RANDR_CONNECTION_CONNECTED;
  output.crtc = info->crtc;
  const xcb_randr_crtc_t* crtcs = xcb_randr_get_output_info_crtcs(info);
  output.possible_crtcs.assign(crtcs, crtcs + xcb_randr_get_output_info_crtcs_length(info));
  const xcb_randr_mode_t* modes = xcb_randr_get_output_info_modes(info);
  for (int i = 0; i < xcb_randr_get_output_info_modes_length(info); ++i) {
    const msg::Mode* mode = r.screen.mode(modes[i]);
    if (mode == nullptr) continue;
    output.output.modes.push_back(*mode);
    output.output.modes.back().preferred = i < info->num_preferred;
    output.mode_ids.push_back(modes[i]);
  }
}

void take_crtc(Reading& r, std::size_t index, const void* reply) {
  const auto* info = static_cast<const xcb_randr_get_crtc_info_reply_t*>(reply);
  if (info == nullptr) return;
  ScreenCrtc& crtc = r.screen.crtcs[index];
  crtc.x = info->x;
  crtc.y = info->y;
  crtc.width_px = info->width;
  crtc.height_px = info->height;
  crtc.mode = info->mode;
  crtc.rotation = info->rotation;
  crtc.rotations = info->rotations;
  const xcb_randr_output_t* outputs = xcb_randr_get_crtc_info_outputs(info);
  crtc.outputs.assign(outputs, outputs + xcb_randr_get_crtc_info_outputs_length(info));
}

void finish(Reading& r) {
  std::erase_if(r.screen.outputs, [](const ScreenOutput& o) { return o.output.name.empty(); });
  for (ScreenOutput& output : r.screen.outputs) {
    const ScreenCrtc* crtc = r.screen.crtc(output.crtc);
    const msg::Mode* mode = crtc == nullptr ? nullptr : r.screen.mode(crtc->mode);
    if (mode == nullptr) continue;  // off
    output.output.current_mode = *mode;
    output.output.x = crtc->x;
    output.output.y = crtc->y;
    output.output.transform = transform_of(crtc->rotation);
  }
  r.done(std::move(r.screen));
}

void ask_details(const SharedReading& r) {
  XConnection& x = r->connection;
  const xcb_timestamp_t time = r->screen.config_time;
  for (std::size_t i = 0; i < r->screen.outputs.size(); ++i) {
    const xcb_randr_output_t id = r->screen.outputs[i].id;
    x.expect(xcb_randr_get_output_info(x.xcb(), id, time), [r, i](const void* reply) { take_output(*r, i, reply); });
    x.expect(xcb_randr_get_output_property(x.xcb(), id, r->edid, XCB_GET_PROPERTY_TYPE_ANY, 0, 0, 0, 0),
             [r, i](const void* reply) {
               const auto* edid = static_cast<const xcb_randr_get_output_property_reply_t*>(reply);
               r->screen.outputs[i].has_edid = edid != nullptr && edid->bytes_after > 0;
             });
  }
  for (std::size_t i = 0; i < r->screen.crtcs.size(); ++i) {
    x.expect(xcb_randr_get_crtc_info(x.xcb(), r->screen.crtcs[i].id, time),
             [r, i](const void* reply) { take_crtc(*r, i, reply); });
  }
  const xcb_window_t root = x.screen()->root;
  x.expect(xcb_randr_get_screen_size_range(x.xcb(), root), [r](const void* reply) {
    const auto* range = static_cast<const xcb_randr_get_screen_size_range_reply_t*>(reply);
    if (range == nullptr) return;
    r->screen.width_px_max = range->max_width;
    r->screen.height_px_max = range->max_height;
  });
  // Answers come in the order of the questions: the last one ends the reading.
  x.expect(xcb_get_geometry(x.xcb(), root), [r](const void* reply) {
    const auto* geometry = static_cast<const xcb_get_geometry_reply_t*>(reply);
    if (geometry != nullptr) {
      r->screen.width_px = geometry->width;
      r->screen.height_px = geometry->height;
    }
    finish(*r);
  });
}

void take_resources(const SharedReading& r, const void* reply) {
  const auto* resources = static_cast<const xcb_randr_get_screen_resources_current_reply_t*>(reply);
  if (resources == nullptr) return r->done(std::nullopt);
  r->screen.config_time = resources->config_timestamp;
  const xcb_randr_mode_info_t* modes = xcb_randr_get_screen_resources_current_modes(resources);
  for (int i = 0; i < xcb_randr_get_screen_resources_current_modes_length(resources); ++i) {
    r->screen.modes.push_back({modes[i].id, {modes[i].width, modes[i].height, refresh_mhz(modes[i]), false}});
  }
  const xcb_randr_output_t* outputs = xcb_randr_get_screen_resources_current_outputs(resources);
  for (int i = 0; i < xcb_randr_get_screen_resources_current_outputs_length(resources); ++i) {
    if (r->screen.outputs.size() < kScreenOutputsMax) r->screen.outputs.emplace_back().id = outputs[i];
  }
  const xcb_randr_crtc_t* crtcs = xcb_randr_get_screen_resources_current_crtcs(resources);
  for (int i = 0; i < xcb_randr_get_screen_resources_current_crtcs_length(resources); ++i) {
    if (r->screen.crtcs.size() < kScreenOutputsMax) r->screen.crtcs.emplace_back().id = crtcs[i];
  }
  ask_details(r);
}

template <class List, class Id>
auto* find_by_id(List& list, Id id) {
  const auto it = std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.id == id; });
  return it == list.end() ? nullptr : &*it;
}

}  // namespace

const ScreenOutput* ScreenOutputs::find(const std::string& name) const {
  const auto it =
      std::find_if(outputs.begin(), outputs.end(), [&](const ScreenOutput& o) { return o.output.name == name; });
  return it == outputs.end() ? nullptr : &*it;
}

const ScreenCrtc* ScreenOutputs::crtc(xcb_randr_crtc_t id) const {
  return id == XCB_NONE ? nullptr : find_by_id(crtcs, id);
}

const msg::Mode* ScreenOutputs::mode(xcb_randr_mode_t id) const {
  const NamedMode* found = id == XCB_NONE ? nullptr : find_by_id(modes, id);
  return found == nullptr ? nullptr : &found->mode;
}

void read_screen_outputs(XConnection& connection, xcb_atom_t edid,
                         std::function<void(std::optional<ScreenOutputs>)> done) {
  auto r = std::make_shared<Reading>(Reading{connection, edid, std::move(done), {}});
  const auto cookie = xcb_randr_get_screen_resources_current(connection.xcb(), connection.screen()->root);
  connection.expect(cookie, [r](const void* reply) { take_resources(r, reply); });
}

std::uint32_t refresh_mhz(const xcb_randr_mode_info_t& mode) {
  double lines = mode.vtotal;
  if ((mode.mode_flags & XCB_RANDR_MODE_FLAG_DOUBLE_SCAN) != 0) lines *= 2;
  if ((mode.mode_flags & XCB_RANDR_MODE_FLAG_INTERLACE) != 0) lines /= 2;
  if (mode.htotal == 0 || lines == 0) return 0;
  const double mhz = 1000.0 * mode.dot_clock / (mode.htotal * lines);
  // Below 1 Hz it is no refresh rate but a number that an X server without a screen made up.
  return mhz >= 1000 && mhz < 4e9 ? static_cast<std::uint32_t>(std::llround(mhz)) : 0;
}

msg::Transform transform_of(std::uint16_t rotation) {
  int quarters = 0;
  if ((rotation & XCB_RANDR_ROTATION_ROTATE_90) != 0) quarters = 1;
  if ((rotation & XCB_RANDR_ROTATION_ROTATE_180) != 0) quarters = 2;
  if ((rotation & XCB_RANDR_ROTATION_ROTATE_270) != 0) quarters = 3;
  bool flipped = (rotation & XCB_RANDR_ROTATION_REFLECT_X) != 0;
  if ((rotation & XCB_RANDR_ROTATION_REFLECT_Y) != 0) {  // is a reflection in X, turned half
    flipped = !flipped;
    quarters = (quarters + 2) % 4;
  }
  return static_cast<msg::Transform>(quarters + (flipped ? 4 : 0));
}

std::uint16_t rotation_of(msg::Transform transform) {
  static_assert(XCB_RANDR_ROTATION_ROTATE_0 == 1 && XCB_RANDR_ROTATION_ROTATE_270 == 8);
  const auto index = static_cast<unsigned>(transform);
  const unsigned turn = 1U << (index % 4);
  const unsigned reflection = index >= 4 ? unsigned{XCB_RANDR_ROTATION_REFLECT_X} : 0U;
  return static_cast<std::uint16_t>(turn | reflection);
}

}  // namespace compositord::agent::x11
