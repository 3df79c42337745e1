#pragma once
// A time in which alerts of some compositors are nobody's business: a silence (they fire, but nobody is notified) or
// maintenance (the verdict is "maintenance", and nothing fires). Source: schemas/messages/alert-window.json.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "common/msg/fields.h"

namespace compositord::msg {

enum class WindowKind : std::uint8_t { kSilence, kMaintenance };
constexpr auto enum_names(WindowKind) {
  return std::array<EnumName<WindowKind>, 2>{
      {{WindowKind::kSilence, "silence"}, {WindowKind::kMaintenance, "maintenance"}}};
}

struct AlertWindow {
  std::string window;  // its id: "silence-" or "maintenance-" and a number that grows
  WindowKind kind = WindowKind::kSilence;
  Value selector;                  // {ids?, labels?}
  std::vector<std::string> kinds;  // of alerts, names with * and ?; none: all. Of silences only.
  UnixMs from;
  UnixMs until;
  std::string author;
  std::string comment;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("window", m.window);
    v("kind", m.kind);
    v("selector", m.selector);
    v.optional("kinds", m.kinds);
    v("from", m.from);
    v("until", m.until);
    v("author", m.author);
    v.optional("comment", m.comment);
  }
};

}  // namespace compositord::msg
