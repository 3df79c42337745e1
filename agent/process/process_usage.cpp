#include "agent/process/process_usage.h"

#include <unistd.h>

#include "agent/process/process_stat.h"

namespace compositord::agent {

std::optional<driver_event::UsageSeen> look_at_usage(const Peer& peer) {
  const auto stat = read_process_stat(peer.pid);
  // Without pages of its own it is a zombie.
  if (!stat || stat->start_time_ticks != peer.start_time_ticks || stat->rss_pages == 0) return std::nullopt;
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
  driver_event::UsageSeen usage;
  usage.rss_bytes = stat->rss_pages * page_bytes;
  usage.cpu_time = Duration{static_cast<std::int64_t>(stat->cpu_time_ticks * (kNsPerSecond / ticks_per_second))};
  return usage;
}

}  // namespace compositord::agent
