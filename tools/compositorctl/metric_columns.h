#pragma once
// The figures beside each compositor in `top`: as many columns as there is room for, the ones worth most first.

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "common/msg/status.h"

namespace compositord::ctl {

class MetricColumns {
 public:
  // `rows`: all that will be shown. `room`: how wide they may be together. A column that no row has a figure for is left out.
  MetricColumns(const std::vector<msg::Metrics>& rows, std::size_t room);

  // Both equally wide, with two spaces behind each column; empty when there are none.
  std::string header() const;
  std::string cells(const msg::Metrics& metrics) const;

 private:
  static constexpr std::size_t kCount = 5;
  std::array<std::size_t, kCount> widths_{};  // 0: it is not shown
};

}  // namespace compositord::ctl
