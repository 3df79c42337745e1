#include "agent/x11/window_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace compositord::agent::x11 {

namespace {

constexpr std::uint32_t kWindowsWordsMax = 4096;
constexpr std::uint32_t kSupportedWordsMax = 1024;
constexpr std::uint32_t kTextWordsMax = 128;  // of 4 bytes
constexpr std::uint32_t kStatesMax = 32;

void say(std::uint64_t command_id, Status status, std::string error, msg::Value result, DriverOutputs& out) {
  out.events.emplace_back(driver_event::CommandFinished{command_id, status, std::move(error), std::move(result)});
}

// The numbers of a property with 32 bits each.
std::vector<std::uint32_t> numbers_in(const void* reply) {
  const auto* property = static_cast<const xcb_get_property_reply_t*>(reply);
  if (property == nullptr || property->format != 32) return {};
  const auto bytes = static_cast<std::size_t>(xcb_get_property_value_length(property));
  std::vector<std::uint32_t> numbers(bytes / sizeof(std::uint32_t));
  if (numbers.empty()) return numbers;  // it has no memory to copy to, which memcpy() forbids also for no bytes
  std::memcpy(numbers.data(), xcb_get_property_value(property), numbers.size() * sizeof(std::uint32_t));
  return numbers;
}

std::string text_in(const void* reply) {
  const auto* property = static_cast<const xcb_get_property_reply_t*>(reply);
  if (property == nullptr || property->format != 8) return {};
  const auto bytes = static_cast<std::size_t>(xcb_get_property_value_length(property));
  return {static_cast<const char*>(xcb_get_property_value(property)), bytes};
}

// WM_CLASS is an instance's name and the class's, NUL after each; the class is what programs are known by.
std::string class_of(const std::string& text) {
  const std::size_t end = text.find('\0');
  if (end == std::string::npos) return text;
  const std::string second = text.substr(end + 1);
  return second.substr(0, second.find('\0'));
}

}  // namespace

struct WindowReader::Reading : std::enable_shared_from_this<WindowReader::Reading> {
  struct Known {
    xcb_window_t id = XCB_WINDOW_NONE;
    Window window;
    std::vector<std::uint32_t> states;
    std::int32_t x = 0;
    std::int32_t y = 0;
    std::uint32_t width_px = 0;
    std::uint32_t height_px = 0;
    bool is_gone = false;  // it was closed meanwhile
  };

  Reading(XConnection& c, const XAtoms& a, ScreenOutputs s) : connection(c), atoms(a), screen(std::move(s)) {}
  void ask_list();
  void ask_batch();
  void ask_window(std::size_t index);
  WindowList list() const;
  std::vector<std::string> states_of(const Known& known) const;
  std::vector<std::string> outputs_of(const Known& known) const;
  xcb_get_property_cookie_t property(xcb_window_t window, xcb_atom_t atom, std::uint32_t words) const {
    return xcb_get_property(connection.xcb(), 0, window, atom, XCB_GET_PROPERTY_TYPE_ANY, 0, words);
  }

  std::uint64_t command_id = 0;
  Instant deadline;
  XConnection& connection;
  const XAtoms& atoms;
  ScreenOutputs screen;
  xcb_window_t active = XCB_WINDOW_NONE;
  std::vector<Known> windows;
  std::size_t next = 0;       // that is to be asked for
  std::size_t uncounted = 0;  // beyond what is described
  bool has_list = false;
  bool is_done = false;
  bool is_dropped = false;  // it has ended by its deadline; what still comes is nobody's
};

void WindowReader::Reading::ask_list() {
  const xcb_window_t root = connection.screen()->root;
  const auto self = shared_from_this();
  connection.expect(property(root, atoms.net_active_window, 1), [self](const void* reply) {
    const auto numbers = numbers_in(reply);
    if (!numbers.empty()) self->active = numbers.front();
  });
  connection.expect(property(root, atoms.net_supported, kSupportedWordsMax), [self](const void* reply) {
    // openbox makes the list with its first window.
    const auto supported = numbers_in(reply);
    self->has_list = std::find(supported.begin(), supported.end(), self->atoms.net_client_list) != supported.end();
  });
  connection.expect(property(root, atoms.net_client_list, kWindowsWordsMax), [self](const void* reply) {
    const auto* list = static_cast<const xcb_get_property_reply_t*>(reply);
    self->has_list = self->has_list || (list != nullptr && list->type == XCB_ATOM_WINDOW);
    const auto numbers = numbers_in(reply);
    const std::size_t described = std::min(numbers.size(), WindowList::kWindowsMax);
    self->uncounted = numbers.size() - described + (list == nullptr ? 0 : list->bytes_after / 4);
    self->windows.resize(described);
    for (std::size_t i = 0; i < described; ++i) self->windows[i].id = numbers[i];
    self->ask_batch();
  });
}

void WindowReader::Reading::ask_batch() {
  if (is_dropped) return;
  if (next == windows.size()) {
    is_done = true;
    return;
  }
  const std::size_t end = std::min(next + kBatch, windows.size());
  for (; next < end; ++next) ask_window(next);
  // Answers come in the order of the questions.
  connection.expect(xcb_get_input_focus(connection.xcb()),
                    [self = shared_from_this()](const void*) { self->ask_batch(); });
}

void WindowReader::Reading::ask_window(std::size_t i) {
  const auto self = shared_from_this();
  const xcb_window_t id = windows[i].id;
  connection.expect(property(id, XCB_ATOM_WM_CLASS, kTextWordsMax),
                    [self, i](const void* reply) { self->windows[i].window.app_id = class_of(text_in(reply)); });
  connection.expect(property(id, XCB_ATOM_WM_NAME, kTextWordsMax),
                    [self, i](const void* reply) { self->windows[i].window.title = text_in(reply); });
  connection.expect(property(id, atoms.net_wm_name, kTextWordsMax), [self, i](const void* reply) {
    if (std::string title = text_in(reply); !title.empty()) self->windows[i].window.title = std::move(title);
  });
  connection.expect(property(id, atoms.net_wm_state, kStatesMax),
                    [self, i](const void* reply) { self->windows[i].states = numbers_in(reply); });
  connection.expect(xcb_get_geometry(connection.xcb(), id), [self, i](const void* reply) {
    const auto* geometry = static_cast<const xcb_get_geometry_reply_t*>(reply);
    self->windows[i].is_gone = geometry == nullptr;
    if (geometry == nullptr) return;
    self->windows[i].width_px = geometry->width;
    self->windows[i].height_px = geometry->height;
  });
  const auto cookie = xcb_translate_coordinates(connection.xcb(), id, connection.screen()->root, 0, 0);
  connection.expect(cookie, [self, i](const void* reply) {
    const auto* place = static_cast<const xcb_translate_coordinates_reply_t*>(reply);
    if (place == nullptr) return;
    self->windows[i].x = place->dst_x;
    self->windows[i].y = place->dst_y;
  });
}

std::vector<std::string> WindowReader::Reading::states_of(const Known& known) const {
  const auto has = [&](xcb_atom_t state) {
    return state != XCB_ATOM_NONE && std::find(known.states.begin(), known.states.end(), state) != known.states.end();
  };
  std::vector<std::string> states;
  if (known.id == active) states.emplace_back("activated");
  if (has(atoms.net_wm_state_fullscreen)) states.emplace_back("fullscreen");
  if (has(atoms.net_wm_state_maximized_horz) && has(atoms.net_wm_state_maximized_vert))
    states.emplace_back("maximized");
  if (has(atoms.net_wm_state_hidden)) states.emplace_back("minimized");
  return states;
}

std::vector<std::string> WindowReader::Reading::outputs_of(const Known& known) const {
  std::vector<std::string> names;
  for (const ScreenOutput& output : screen.outputs) {
    const ScreenCrtc* crtc = screen.crtc(output.crtc);
    if (crtc == nullptr || crtc->mode == XCB_NONE) continue;
    const auto overlap = [](std::int64_t a, std::int64_t a_size, std::int64_t b, std::int64_t b_size) {
      return a < b + b_size && b < a + a_size;
    };
    if (overlap(known.x, known.width_px, crtc->x, crtc->width_px) &&
        overlap(known.y, known.height_px, crtc->y, crtc->height_px)) {
      names.push_back(output.output.name);
    }
  }
  return names;
}

WindowList WindowReader::Reading::list() const {
  WindowList list;
  for (const Known& known : windows) {
    if (known.is_gone) continue;
    Window window = known.window;
    window.states = states_of(known);
    window.outputs = outputs_of(known);
    list.add(std::move(window));
  }
  list.add_uncounted(uncounted);
  return list;
}

msg::CommandSupport WindowReader::support(bool has_window_manager) {
  return {std::string(kWindowsName), has_window_manager,
          has_window_manager ? "" : "no window manager runs here that lists the windows in _NET_CLIENT_LIST"};
}

void WindowReader::execute(std::uint64_t command_id, const msg::Value& params, const ScreenOutputs& screen, Instant now,
                           Instant deadline, DriverOutputs& out) {
  const auto refuse = [&](Status status, std::string error) {
    say(command_id, status, std::move(error), msg::Value::map(), out);
  };
  if (const auto parsed = parse_windows_request(params); !parsed) {
    return refuse(parsed.error().status, parsed.error().text);
  }
  if (now >= deadline) return refuse(Status::kDeadline, "the deadline had passed");
  if (readings_.size() >= kAtWorkMax) {
    return refuse(Status::kLimit, fmt::format("{} others ask for the windows; ask again in a moment", kAtWorkMax));
  }
  auto reading = std::make_shared<Reading>(connection_, atoms_, screen);
  reading->command_id = command_id;
  reading->deadline = deadline;
  reading->ask_list();
  readings_.push_back(std::move(reading));
}

Instant WindowReader::next_deadline() const noexcept {
  Instant next = kNever;
  for (const auto& reading : readings_) next = std::min(next, reading->deadline);
  return next;
}

void WindowReader::service(Instant now, DriverOutputs& out) {
  std::erase_if(readings_, [&](const auto& reading) {
    if (reading->is_done && !reading->has_list) {
      say(reading->command_id, Status::kUnsupported, "the window manager lists no windows in _NET_CLIENT_LIST",
          msg::Value::map(), out);
      return true;
    }
    if (reading->is_done) {
      say(reading->command_id, Status::kDone, {}, reading->list().result(), out);
      return true;
    }
    if (now < reading->deadline) return false;
    reading->is_dropped = true;
    say(reading->command_id, Status::kDeadline, "the X server did not tell the windows in time", msg::Value::map(),
        out);
    return true;
  });
}

void WindowReader::on_gone(DriverOutputs& out) {
  for (const auto& reading : readings_) {
    reading->is_dropped = true;
    say(reading->command_id, Status::kGone, "the display ended under the command", msg::Value::map(), out);
  }
  readings_.clear();
}

}  // namespace compositord::agent::x11
