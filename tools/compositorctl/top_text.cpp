#include "tools/compositorctl/top_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/base/utf8.h"
#include "tools/compositorctl/metric_columns.h"
#include "tools/compositorctl/status_text.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// The worst first.
constexpr std::array kVerdicts{msg::Verdict::kDown, msg::Verdict::kUnknown, msg::Verdict::kDegraded,
                               msg::Verdict::kMaintenance, msg::Verdict::kOk};

std::size_t rank(msg::Verdict verdict) {
  return static_cast<std::size_t>(std::find(kVerdicts.begin(), kVerdicts.end(), verdict) - kVerdicts.begin());
}

// The first `columns` code points, and an ellipsis where something is missing.
std::string cut(std::string text, std::size_t columns) {
  if (columns == 0 || width_of(text) <= columns) return text;
  std::size_t bytes = 0;
  for (std::size_t left = columns - 1; bytes < text.size(); ++bytes) {
    const bool begins = (static_cast<unsigned char>(text[bytes]) & 0xC0U) != 0x80U;
    if (begins && left-- == 0) break;
  }
  return text.substr(0, bytes) + "…";
}

std::map<msg::Verdict, std::size_t> count_verdicts(const feed::FeedView& view) {
  std::map<msg::Verdict, std::size_t> counts;
  for (const auto& [id, entry] : view.statuses()) ++counts[entry.status.verdict];
  return counts;
}

std::int64_t count_critical(const feed::FeedView& view) {
  return std::count_if(view.alerts().begin(), view.alerts().end(),
                       [](const auto& entry) { return entry.second.alert.severity == msg::AlertSeverity::kCritical; });
}

std::vector<const msg::Status*> worst_first(const feed::FeedView& view) {
  std::vector<const msg::Status*> statuses;
  for (const auto& [id, entry] : view.statuses()) statuses.push_back(&entry.status);
  std::stable_sort(statuses.begin(), statuses.end(),
                   [](const auto* a, const auto* b) { return rank(a->verdict) < rank(b->verdict); });
  return statuses;
}

std::string totals_text(const feed::FeedView& view) {
  std::map<msg::Verdict, std::size_t> counts = count_verdicts(view);
  std::string text = counted(view.statuses().size(), "compositor");
  for (const msg::Verdict verdict : kVerdicts) {
    if (counts[verdict] > 0) text += fmt::format(", {} {}", counts[verdict], name_of(verdict));
  }
  const std::int64_t critical = count_critical(view);
  text += "; " + counted(view.alerts().size(), "alert");
  return critical == 0 ? text : text + fmt::format(", {} critical", critical);
}

std::string completeness_text(const feed::Completeness& known) {
  if (known.epoch == 0) return "nothing is known yet";
  if (known.complete) return fmt::format("complete up to {} (epoch {})", time_text(known.up_to), known.epoch);
  return fmt::format("NOT COMPLETE: what came after {} may be missing", time_text(known.up_to));
}

// The lines of a table that no line is wider than.
class Rows {
 public:
  static constexpr std::size_t kVerdictWidth = 11;  // "maintenance"
  static constexpr std::size_t kSinceWidth = 8;
  static constexpr std::size_t kGap = 2;
  // What is left for the reason before figures are shown.
  static constexpr std::size_t kWhyWidthMin = 24;

  // `columns`: as of FrameSize.
  Rows(const std::vector<const msg::Status*>& shown, const FreshMetrics& metrics, std::size_t id_width,
       std::size_t columns)
      : metrics_(metrics), id_width_(id_width), columns_(columns), figures_(figures_of(shown), room_for_figures()) {}

  std::string header() const {
    return fmt::format("{:<{}}  {}\n", "VERDICT", kVerdictWidth, rest("ID", "SINCE", figures_.header(), "WHY"));
  }
  std::string row(const msg::Status& status, UnixMs now, bool coloured) const {
    const std::string verdict = fmt::format("{:<{}}", name_of(status.verdict), kVerdictWidth);
    return paint(verdict, colour_of(status.verdict), coloured) + "  " +
           rest(safe_text(status.id), age_text(now.ms - status.since.ms), figures_.cells(metrics_.of(status)),
                safe_text(status.reason)) +
           '\n';
  }

 private:
  std::vector<msg::Metrics> figures_of(const std::vector<const msg::Status*>& shown) const {
    std::vector<msg::Metrics> figures;
    for (const msg::Status* status : shown) figures.push_back(metrics_.of(*status));
    return figures;
  }
  std::size_t room_for_figures() const {
    if (columns_ == 0) return std::string::npos;
    const std::size_t taken = kVerdictWidth + kGap + id_width_ + kGap + kSinceWidth + kGap + kWhyWidthMin;
    return columns_ - std::min(columns_, taken);
  }
  // What follows the verdict, cut where the line ends.
  std::string rest(std::string_view id, std::string_view since, std::string_view figures, std::string_view why) const {
    std::string padded(id);
    padded.append(id_width_ - std::min(id_width_, width_of(id)), ' ');
    const std::size_t width = columns_ == 0 ? 0 : std::max(columns_, kVerdictWidth + kGap + 1) - kVerdictWidth - kGap;
    return cut(fmt::format("{}  {:>{}}  {}{}", padded, since, kSinceWidth, figures, why), width);
  }

  const FreshMetrics& metrics_;
  std::size_t id_width_;
  std::size_t columns_;
  MetricColumns figures_;
};

}  // namespace

std::string top_text(const feed::FeedView& view, const FreshMetrics& metrics, FrameSize size, UnixMs now,
                     bool coloured) {
  const feed::Completeness known = view.completeness();
  std::string text = cut(totals_text(view), size.columns) + '\n';
  text += paint(cut(completeness_text(known), size.columns), known.complete ? Colour::kDim : Colour::kRed, coloured);
  text += "\n\n";
  std::vector<const msg::Status*> statuses = worst_first(view);
  std::size_t id_width = 2;
  for (const msg::Status* status : statuses) id_width = std::max(id_width, width_of(safe_text(status->id)));
  constexpr std::size_t kHeadRows = 4;
  const std::size_t room = size.rows == 0 ? statuses.size() : std::max(size.rows, kHeadRows + 1) - kHeadRows;
  const std::size_t more = statuses.size() <= room ? 0 : statuses.size() - (room - 1);
  statuses.resize(statuses.size() - more);
  const Rows rows(statuses, metrics, id_width, size.columns);
  text += rows.header();
  for (const msg::Status* status : statuses) text += rows.row(*status, now, coloured);
  if (more > 0) text += cut(fmt::format("… and {} more", more), size.columns) + '\n';
  return text;
}

std::string top_json(const feed::FeedView& view, const FreshMetrics& metrics, UnixMs now) {
  const feed::Completeness known = view.completeness();
  msg::Value verdicts = msg::Value::map();
  std::map<msg::Verdict, std::size_t> counts = count_verdicts(view);
  for (const msg::Verdict verdict : kVerdicts)
    verdicts.set(std::string(name_of(verdict)), std::uint64_t{counts[verdict]});
  msg::Value compositors = msg::Value::array();
  for (const msg::Status* status : worst_first(view)) {
    msg::Status newest = *status;
    const msg::Metrics measured = metrics.of(*status);
    newest.metrics = measured == msg::Metrics{} ? std::nullopt : std::optional(measured);
    compositors.push(to_value(newest));
  }
  return safe_json(msg::Value::map({{"time", now.ms},
                                    {"epoch", known.epoch},
                                    {"complete", known.complete},
                                    {"up_to", known.up_to.ms},
                                    {"verdicts", std::move(verdicts)},
                                    {"alerts", msg::Value::map({{"firing", std::uint64_t{view.alerts().size()}},
                                                                {"critical", count_critical(view)}})},
                                    {"compositors", std::move(compositors)}}));
}

}  // namespace compositord::ctl
