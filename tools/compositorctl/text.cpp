#include "tools/compositorctl/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/base/log_event.h"

namespace compositord::ctl {

namespace {

constexpr std::size_t kTextBytesMax = 4'096;  // the longest sentence of the bus is far shorter

std::string_view colour_code(Colour colour) {
  switch (colour) {
    case Colour::kNone: return "";
    case Colour::kGreen: return "\x1b[32m";
    case Colour::kYellow: return "\x1b[33m";
    case Colour::kRed: return "\x1b[1;31m";
    case Colour::kMagenta: return "\x1b[35m";
    case Colour::kDim: return "\x1b[2m";
  }
  return "";
}

struct DurationUnit {
  std::string_view name;
  double seconds;
};
constexpr std::array<DurationUnit, 7> kDurationUnits{
    {{"", 1.0}, {"ms", 1e-3}, {"s", 1.0}, {"min", 60.0}, {"m", 60.0}, {"h", 3'600.0}, {"d", 86'400.0}}};

// Optimal string alignment: the usual three rows.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string safe_text(std::string_view bytes) { return escape_for_log(bytes, kTextBytesMax); }

std::string safe_lines(std::string_view bytes) {
  std::string lines;
  for (bool more = true; more;) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    lines += escape_for_log(bytes.substr(0, end), kTextBytesMax);
    more = end < bytes.size() && lines.size() < kTextBytesMax;
    if (more) lines += "\n  ";
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return lines;
}

std::string safe_json(const msg::Value& value, int indent) {
  const std::string json = msg::encode_json(value, indent);
  std::string out;
  out.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto c = static_cast<unsigned char>(json[i]);
    const unsigned char next = i + 1 < json.size() ? static_cast<unsigned char>(json[i + 1]) : 0;
    if (c == 0x7f) {
      out += "\\u007f";
    } else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {  // in UTF-8 the C1 controls are C2 80 … C2 9F
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out += json[i];
    }
  }
  return out;
}

std::string text_at(const msg::Value& map, std::string_view key) {
  const msg::Value* value = map.find(key);
  return value != nullptr && value->is_string() ? safe_text(*value->if_string()) : std::string();
}

std::int64_t number_at(const msg::Value& map, std::string_view key) {
  const msg::Value* value = map.find(key);
  return value != nullptr && value->if_int() != nullptr ? *value->if_int() : 0;
}

std::string paint(std::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::kNone) return std::string(text);
  return fmt::format("{}{}\x1b[0m", colour_code(colour), text);
}

std::size_t width_of(std::string_view utf8) noexcept {
  const auto begins_code_point = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), begins_code_point));
}

Table::Table(std::vector<std::string> header) {
  std::vector<Cell>& cells = rows_.emplace_back();
  for (std::string& title : header) cells.push_back(Cell{std::move(title), Colour::kDim});
}

void Table::add(std::vector<Cell> row) {
  CHECK(row.size() == rows_[0].size());
  rows_.push_back(std::move(row));
}

std::string Table::to_text(bool coloured, std::string_view indent) const {
  std::vector<std::size_t> widths(rows_[0].size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    out += indent;
    for (std::size_t i = 0; i < last; ++i) {
      out += paint(row[i].text, row[i].colour, coloured);
      if (i + 1 < last) out.append(widths[i] - width_of(row[i].text) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string age_text(std::int64_t age_ms) {
  constexpr std::int64_t kSecond = 1'000;
  constexpr std::int64_t kMinute = 60 * kSecond;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  const std::int64_t age = std::max<std::int64_t>(0, age_ms);
  if (age < 10 * kSecond) return fmt::format("{}.{} s", age / kSecond, age % kSecond / 100);
  if (age < 2 * kMinute) return fmt::format("{} s", age / kSecond);
  if (age < 2 * kHour) return fmt::format("{} min", age / kMinute);
  if (age < 2 * kDay) return fmt::format("{} h", age / kHour);
  return fmt::format("{} d", age / kDay);
}

std::string time_text(UnixMs time) {
  const std::int64_t ms = ((time.ms % 1'000) + 1'000) % 1'000;
  const auto seconds = static_cast<std::time_t>(time.ms / 1'000 - (time.ms % 1'000 < 0 ? 1 : 0));  // rounded down
  std::tm local{};
  if (localtime_r(&seconds, &local) == nullptr) return fmt::format("{} ms", time.ms);  // a year beyond what int holds
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", std::int64_t{local.tm_year} + 1'900, local.tm_mon + 1,
                     local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec, ms);
}

std::string number_text(double number) { return fmt::format("{:.6g}", number); }

std::string round_trip_text(std::uint64_t us) {
  constexpr std::uint64_t kSecondsFrom = 999'500;  // with three digits that is a second
  if (us < kSecondsFrom) return fmt::format("{:.3g} ms", static_cast<double>(us) / 1e3);
  return fmt::format("{:.3g} s", static_cast<double>(us) / 1e6);
}

std::string memory_text(std::uint64_t bytes) {
  constexpr double kMiB = 1024 * 1024;
  return fmt::format("{:.0f} MiB", static_cast<double>(bytes) / kMiB);
}

std::string mode_text(const msg::Mode& mode) {
  std::string size = fmt::format("{}x{}", mode.width_px, mode.height_px);
  if (mode.refresh_mhz == 0) return size;
  return fmt::format("{}@{}Hz", size, number_text(mode.refresh_mhz / 1e3));
}

Result<Duration> parse_duration(std::string_view text) {
  constexpr double kSecondsMax = 366.0 * 86'400.0;
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const auto refuse = [&] {
    return fail(Status::kMalformed,
                fmt::format("\"{}\" is no duration: a number and ms, s, min, h or d, as in 500ms or 5s",
                            escape_for_log(text, 64)));
  };
  if (parsed.ec != std::errc()) return refuse();
  const std::string_view unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
  const auto known =
      std::find_if(kDurationUnits.begin(), kDurationUnits.end(), [&](const auto& u) { return u.name == unit; });
  if (known == kDurationUnits.end()) return refuse();
  const double seconds = number * known->seconds;
  if (!(seconds >= 1e-3) || seconds > kSecondsMax) {
    return fail(Status::kMalformed, fmt::format("\"{}\" is out of range: 1ms … 1 year", escape_for_log(text, 64)));
  }
  return Duration{static_cast<std::int64_t>(seconds * 1e9)};
}

std::vector<std::string> nearest(std::string_view word, const std::vector<std::string>& known, std::size_t count_max) {
  constexpr std::size_t kWordBytesMax = 256;  // the effort is the product of the lengths
  std::vector<std::pair<std::size_t, std::string>> near;
  word = word.substr(0, kWordBytesMax);
  const std::size_t far = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < far || (!word.empty() && candidate.find(word) != std::string::npos)) near.emplace_back(d, candidate);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(count_max, near.size()); ++i) names.push_back(std::move(near[i].second));
  return names;
}

}  // namespace compositord::ctl
