#include "common/log/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace compositord::log {

namespace {

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::kDebug: return spdlog::level::debug;
    case Severity::kInfo: return spdlog::level::info;
    case Severity::kWarning: return spdlog::level::warn;
    case Severity::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

std::optional<Severity> severity_from_name(std::string_view name) {
  for (const Severity severity : {Severity::kDebug, Severity::kInfo, Severity::kWarning, Severity::kError}) {
    if (severity_name(severity) == name) return severity;
  }
  return std::nullopt;
}

struct Logger::Impl {
  explicit Impl(std::string_view program)
      : logger(std::string(program), std::make_shared<spdlog::sinks::stderr_color_sink_st>()) {}
  spdlog::logger logger;
};

Logger::Logger(std::string_view program, Severity threshold) : impl_(std::make_unique<Impl>(program)) {
  impl_->logger.set_level(level_of(threshold));
  impl_->logger.set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %n %^%l%$ %v");
  impl_->logger.flush_on(spdlog::level::debug);
}

Logger::~Logger() = default;

void Logger::write(const LogEvent& event) {
  const auto level = level_of(event.severity);
  if (impl_->logger.should_log(level)) impl_->logger.log(level, to_text(event));
}

}  // namespace compositord::log
