#include "common/msg/status.h"

#include <algorithm>

#include <fmt/format.h>

namespace compositord::msg {

namespace {

bool is_bounded(const Crash& crash) {
  std::size_t bytes = crash.text.size();
  for (const std::string& line : crash.log) bytes += line.size();
  for (const CrashEvent& event : crash.events) bytes += event.text.size();
  return bytes <= kCrashTextBytesMax && crash.log.size() <= kCrashEntriesMax &&
         crash.events.size() <= kCrashEntriesMax && crash.probes.size() <= kCrashEntriesMax;
}

}  // namespace

std::string excess_of(const StatusReport& report) {
  if (report.outputs.size() > kOutputsMax) {
    return fmt::format("outputs: {} of them, more than {}", report.outputs.size(), kOutputsMax);
  }
  for (const OutputFact& output : report.outputs) {
    if (output.name.size() <= kOutputNameBytesMax) continue;
    return fmt::format("outputs: a name of {} bytes, more than {}", output.name.size(), kOutputNameBytesMax);
  }
  const std::size_t longest = std::max(report.progress.cause.size(), report.process.note.value_or("").size());
  if (longest > kStatusTextBytesMax) {
    return fmt::format("process.note or progress.cause: {} bytes, more than {}", longest, kStatusTextBytesMax);
  }
  if (!report.crash || is_bounded(*report.crash)) return {};
  return fmt::format("crash: more than {} bytes of text or {} entries in a list", kCrashTextBytesMax, kCrashEntriesMax);
}

}  // namespace compositord::msg
