#include "tools/compositorctl/metric_columns.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

constexpr std::size_t kGap = 2;  // between columns

std::string count_text(const std::optional<std::uint64_t>& count) { return count ? std::to_string(*count) : ""; }

struct Column {
  std::string_view name;
  std::string (*text)(const msg::Metrics& metrics);  // empty: it is not known
};

// The one worth most first: where there is no room for all, the others go.
constexpr std::array kColumns{
    Column{"P99", [](const msg::Metrics& m) { return m.probe_p99_us ? round_trip_text(*m.probe_p99_us) : ""; }},
    Column{"MEMORY", [](const msg::Metrics& m) { return m.rss_bytes ? memory_text(*m.rss_bytes) : ""; }},
    Column{"CPU", [](const msg::Metrics& m) { return m.cpu_percent ? fmt::format("{:.1f} %", *m.cpu_percent) : ""; }},
    Column{"CLIENTS", [](const msg::Metrics& m) { return count_text(m.clients); }},
    Column{"RESTARTS", [](const msg::Metrics& m) { return count_text(m.restarts); }},
};

}  // namespace

MetricColumns::MetricColumns(const std::vector<msg::Metrics>& rows, std::size_t room) {
  static_assert(kColumns.size() == kCount);
  for (std::size_t i = 0; i < kCount; ++i) {
    std::size_t width = 0;
    for (const msg::Metrics& row : rows) width = std::max(width, width_of(kColumns.at(i).text(row)));
    if (width == 0) continue;
    width = std::max(width, kColumns.at(i).name.size());
    if (width + kGap > room) continue;
    widths_.at(i) = width;
    room -= width + kGap;
  }
}

std::string MetricColumns::header() const {
  std::string text;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (widths_.at(i) > 0) text += fmt::format("{:>{}}{:{}}", kColumns.at(i).name, widths_.at(i), "", kGap);
  }
  return text;
}

std::string MetricColumns::cells(const msg::Metrics& metrics) const {
  std::string text;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (widths_.at(i) == 0) continue;
    const std::string cell = kColumns.at(i).text(metrics);
    text += fmt::format("{:>{}}{:{}}", cell.empty() ? "-" : cell, widths_.at(i), "", kGap);
  }
  return text;
}

}  // namespace compositord::ctl
