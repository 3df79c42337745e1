#pragma once
// What people read: tables, ages, times, colours. Everything from the network passes safe_text() or safe_json() on its way
// to a terminal.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/manifest.h"
#include "common/msg/value.h"

namespace compositord::ctl {

// Escaped as for a log, but longer.
std::string safe_text(std::string_view bytes);
// The same with its lines kept, those below the first indented, so that none can pass for ours: a configuration's fault is told
// with the place below it.
std::string safe_lines(std::string_view bytes);
// JSON in which also DEL and the C1 controls are written as \u00XX: terminals obey some of them.
std::string safe_json(const msg::Value& value, int indent = -1);

// A field of a map: a string, made safe; a whole number. Empty or 0 when it is missing or something else.
std::string text_at(const msg::Value& map, std::string_view key);
std::int64_t number_at(const msg::Value& map, std::string_view key);

enum class Colour : std::uint8_t { kNone, kGreen, kYellow, kRed, kMagenta, kDim };
// The text in its colour, or as it is when `enabled` is false.
std::string paint(std::string_view text, Colour colour, bool enabled);

// How many columns a text takes, counted by its code points.
std::size_t width_of(std::string_view utf8) noexcept;

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};

class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void add(std::vector<Cell> row);  // as many cells as the header has
  // Two spaces between columns, none at the end of a line. `indent` stands in front of each line.
  std::string to_text(bool coloured, std::string_view indent = "") const;

 private:
  std::vector<std::vector<Cell>> rows_;
};

// "1 alert", "2 alerts".
std::string counted(std::uint64_t count, std::string_view what);
// "0.4 s", "12 s", "5 min", "3 h", "4 d". Less than nothing is "0.0 s": two calendars may differ a little.
std::string age_text(std::int64_t age_ms);
// "0.42 ms", "12.3 s"
std::string round_trip_text(std::uint64_t us);
// "142 MiB"
std::string memory_text(std::uint64_t bytes);
// "2026-03-01 12:00:05.250" in local time.
std::string time_text(UnixMs time);

// "1920x1080@60Hz", "1280x720@59.951Hz", "1280x720".
std::string mode_text(const msg::Mode& mode);
// As few digits as tell it: "1", "1.5".
std::string number_text(double number);

// "500ms", "5s", "1.5s", "2min", "1h", "7d"; a number alone is seconds. More than nothing, at most a year.
Result<Duration> parse_duration(std::string_view text);

// Of `known`, what `word` was most probably meant to be, the nearest first; at most `count_max`. Distance: letters left out,
// put in, changed, or two neighbours swapped.
std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& known, std::size_t count_max);

}  // namespace compositord::ctl
