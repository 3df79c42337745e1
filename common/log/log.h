#pragma once
// LogEvent -> a line on standard error, by spdlog. Standard output stays free for what a program was asked for.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/log_event.h"

namespace compositord::log {

// "debug", "info", "warning", "error".
std::optional<Severity> severity_from_name(std::string_view name);
inline constexpr std::array<std::string_view, 4> kSeverityNames{"debug", "info", "warning", "error"};

class Logger {
 public:
  // `program` stands in each line. Events below `threshold` are dropped.
  Logger(std::string_view program, Severity threshold);
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  void write(const LogEvent& event);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::log
