#pragma once
// What the cores say happened: data, not text. The loop gives it to common/log, golden tests compare it, and its name is
// stable, so that an operator may search for it (the names are listed in schemas/ERRORS.md under "Log events").

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace compositord {

enum class Severity : std::uint8_t { kDebug, kInfo, kWarning, kError };
std::string_view severity_name(Severity severity) noexcept;
// "debug", "info", "warning", "error".
std::optional<Severity> severity_from_name(std::string_view name) noexcept;

struct LogEvent {
  Severity severity = Severity::kInfo;
  std::string_view name;  // a literal, e.g. "agent.lost"
  std::vector<std::pair<std::string_view, std::string>> fields;

  LogEvent(Severity s, std::string_view n) : severity(s), name(n) {}
  LogEvent& with(std::string_view key, std::string value) & {
    fields.emplace_back(key, std::move(value));
    return *this;
  }
  LogEvent&& with(std::string_view key, std::string value) && {
    fields.emplace_back(key, std::move(value));
    return std::move(*this);
  }
};

// One line: "agent.lost id=wall-3/wayland-1 why=\"no heartbeat for 3.0 s\"". Values from the network are escaped, so
// that nobody can write a second line into a log or an escape sequence into a terminal.
std::string to_text(const LogEvent& event);
// Printable ASCII and UTF-8 as it is, a backslash doubled, everything else as \xNN; cut at `length_max` bytes with "…".
std::string escape_for_log(std::string_view bytes, std::size_t length_max = 256);

}  // namespace compositord
