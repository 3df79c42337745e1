#include "agent/process/known_exit.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "agent/process/process_watch.h"

namespace compositord::agent {

namespace {

struct KnownExit {
  std::string_view compositor;
  std::optional<int> code;
  std::optional<int> signal;
};

constexpr std::array<KnownExit, 6> kKnownExits{{
    {"cage", std::nullopt, SIGABRT},      // 0.1.4: an assertion of wl_display_terminate()
    {"phoc", std::nullopt, SIGTERM},      // 0.24.0: no handler; its sockets stay
    {"picom", std::nullopt, SIGTERM},     // 9.1: no handler
    {"xcompmgr", std::nullopt, SIGTERM},  // 1.1.8: the same
    {"kwin_wayland", 15, std::nullopt},   // 5.27: the signal's number as its exit code
    {"kwin_x11", 15, std::nullopt},       // the same
}};

}  // namespace

bool is_known_exit(std::string_view compositor, const ProcessEnd& end) noexcept {
  if (!end.code && !end.signal) return false;
  return std::any_of(kKnownExits.begin(), kKnownExits.end(), [&](const KnownExit& known) {
    return known.compositor == compositor && known.code == end.code && known.signal == end.signal;
  });
}

std::string describe_end_of(std::string_view compositor, const ProcessEnd& end) {
  std::string text = describe_end(end);
  if (!is_known_exit(compositor, end)) return text;
  return fmt::format("{}, as {} ends when it is asked to", text, compositor);
}

}  // namespace compositord::agent
