#include "broker/config/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/log_event.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kLineBytesMax = 200;
// A file that is wrong throughout needs no thousand lines to say so.
constexpr std::size_t kShownMax = 50;

std::string_view line_of(std::string_view source, std::size_t line) {
  for (; line > 0; --line) {
    const std::size_t end = source.find('\n');
    if (end == std::string_view::npos) return {};
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  if (source.ends_with('\r')) source.remove_suffix(1);
  return source;
}

// For a terminal: a tab is one blank, and nothing in the file can move the cursor.
std::string shown(std::string_view text) {
  std::string blanks(text);
  std::replace(blanks.begin(), blanks.end(), '\t', ' ');
  return escape_for_log(blanks, kLineBytesMax);
}

std::size_t characters(std::string_view text) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

std::string one(const Diagnostic& d, std::string_view file_name, std::string_view source) {
  const std::string_view line = line_of(source, d.at.line);
  const std::string_view before = line.substr(0, std::min(d.at.column, line.size()));
  std::string out = fmt::format("{}:{}:{}: {}\n", file_name, d.at.line + 1, characters(before) + 1, d.text);
  out += fmt::format("{:>5} | {}\n", d.at.line + 1, shown(line));
  // The caret stands below what is shown, which an escape makes wider.
  out += fmt::format("{:>5} | {}^", "", std::string(characters(shown(before)), ' '));
  if (!d.help.empty()) out += "\n  " + d.help;
  return out;
}

// Rows of the usual table, the last three of them.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, last[j] + 1, row[j - 1] + 1});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string to_text(std::vector<Diagnostic> diagnostics, std::string_view file_name, std::string_view source) {
  const auto earlier = [](const Diagnostic& a, const Diagnostic& b) { return a.at < b.at; };
  std::stable_sort(diagnostics.begin(), diagnostics.end(), earlier);
  std::string out;
  for (std::size_t i = 0; i < std::min(diagnostics.size(), kShownMax); ++i) {
    out += (out.empty() ? "" : "\n") + one(diagnostics[i], file_name, source);
  }
  if (diagnostics.size() > kShownMax) out += fmt::format("\n… and {} more", diagnostics.size() - kShownMax);
  return out;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t kWordBytesMax = 64;  // nothing longer is near to a key, and the table stays small
  if (word.size() > kWordBytesMax) return {};
  std::string_view best;
  std::size_t best_distance = 1 + std::max<std::size_t>(1, word.size() / 3);
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d >= best_distance || d >= candidate.size()) continue;
    best_distance = d;
    best = candidate;
  }
  return best;
}

}  // namespace compositord::broker
