#include "agent/windows/window_list.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::agent {

namespace {

msg::Value texts(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  msg::Value value = msg::Value::array();
  for (std::string& text : list) value.push(std::move(text));
  return value;
}

}  // namespace

void WindowList::add(Window window) {
  ++count_;
  if (windows_.size() >= kWindowsMax) return;
  window.app_id = escape_for_log(window.app_id, kTextBytesMax);
  window.title = escape_for_log(window.title, kTextBytesMax);
  windows_.push_back(std::move(window));
}

msg::Value WindowList::result() const {
  msg::Value list = msg::Value::array();
  for (const Window& window : windows_) {
    list.push(msg::Value::map({{"app_id", window.app_id},
                               {"title", window.title},
                               {"states", texts(window.states)},
                               {"outputs", texts(window.outputs)}}));
  }
  return msg::Value::map({{"count", static_cast<std::uint64_t>(count_)}, {"windows", std::move(list)}});
}

Result<void> parse_windows_request(const msg::Value& params) {
  const msg::Value::Map* map = params.if_map();
  if (map == nullptr || map->empty()) return {};
  return fail(Status::kMalformed,
              fmt::format("{}: {} takes no parameters", escape_for_log(map->front().first, 64), kWindowsName));
}

}  // namespace compositord::agent
