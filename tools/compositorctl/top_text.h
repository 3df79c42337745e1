#pragma once
// What `top` shows: one frame of a view, as large as the terminal.

#include <cstddef>
#include <string>

#include "common/base/instant.h"
#include "common/feed/feed_view.h"
#include "tools/compositorctl/fresh_metrics.h"

namespace compositord::ctl {

struct FrameSize {
  std::size_t rows = 0;     // 0: as many as there are
  std::size_t columns = 0;  // 0: as wide as it is
};

// Totals, up to when they are complete, and the compositors, the worst first, with as many figures beside each as fit; lines
// that end in "\n". `now` is our calendar.
std::string top_text(const feed::FeedView& view, const FreshMetrics& metrics, FrameSize size, UnixMs now,
                     bool coloured);
// The same as one line of JSON, without its end, and each compositor as bus.status has it.
std::string top_json(const feed::FeedView& view, const FreshMetrics& metrics, UnixMs now);

}  // namespace compositord::ctl
