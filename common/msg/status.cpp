#include "common/msg/status.h"

namespace compositord::msg {

bool is_bounded(const Crash& crash) {
  std::size_t bytes = crash.text.size();
  for (const std::string& line : crash.log) bytes += line.size();
  for (const CrashEvent& event : crash.events) bytes += event.text.size();
  return bytes <= kCrashTextBytesMax && crash.log.size() <= kCrashEntriesMax &&
         crash.events.size() <= kCrashEntriesMax && crash.probes.size() <= kCrashEntriesMax;
}

}  // namespace compositord::msg
