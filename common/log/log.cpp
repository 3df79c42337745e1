#include "common/log/log.h"

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/os.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "common/base/blocked_signals.h"
#include "common/log/complaint.h"
#include "common/log/datagram_place.h"
#include "common/log/line_output.h"
#include "common/log/log_text.h"

namespace compositord::log {

namespace {

constexpr const char* kPlainPattern = "%Y-%m-%dT%H:%M:%S.%e%z %n %^%l%$ %v";
constexpr const char* kJsonPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","severity":"%l",%v})";
// Lines that wait for the disk; then the oldest are lost, and that is said.
constexpr std::size_t kWaitingLinesMax = 8'192;

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::kDebug: return spdlog::level::debug;
    case Severity::kInfo: return spdlog::level::info;
    case Severity::kWarning: return spdlog::level::warn;
    case Severity::kError: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// What the terminal or pipe has room for. Lines that it has none for are lost, and counted.
class StandardError : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit StandardError(int fd)
      : output_(fd), coloured_(output_.is_terminal() && spdlog::details::os::is_color_terminal()) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    if (lost_ > 0) {
      const std::string text =
          to_text(LogEvent(Severity::kWarning, "log.lines_lost").with("lines", std::to_string(lost_)));
      if (write({line.time, {}, line.logger_name, level_of(Severity::kWarning), text})) lost_ = 0;
    }
    if (lost_ > 0 || !write(line)) ++lost_;
  }
  void flush_() override {}

 private:
  bool write(const spdlog::details::log_msg& line) {
    spdlog::memory_buf_t buffer;
    formatter_->format(line, buffer);
    std::string text(buffer.data(), buffer.size());
    if (coloured_ && line.color_range_end > line.color_range_start) {
      text.insert(line.color_range_end, "\033[m");
      text.insert(line.color_range_start, colour_of(line.level));
    }
    return output_.write(text);
  }
  static std::string_view colour_of(spdlog::level::level_enum level) {
    switch (level) {
      case spdlog::level::debug: return "\033[36m";
      case spdlog::level::info: return "\033[32m";
      case spdlog::level::warn: return "\033[33m\033[1m";
      default: return "\033[31m\033[1m";
    }
  }

  LineOutput output_;
  const bool coloured_;
  std::uint64_t lost_ = 0;
};

// A rotating file that is opened again when it failed: a disk that was full may have room again. Runs on the status log's thread.
class StatusFile : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  StatusFile(std::string_view program, StatusLog settings)
      : settings_(std::move(settings)),
        path_(settings_.directory / fmt::format("{}.log", program)),
        complaint_(program, "it goes on without this log and tries again") {}

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    const auto waited = line.time - failed_at_;
    const bool calendar_jumped = line.time < failed_at_;
    if (failed_ && waited < settings_.try_again_after && !calendar_jumped) return;
    try {
      if (!file_) open();
      file_->log(line);
      file_->flush();  // each line: whoever looks into the log after a crash wants the last one
    } catch (const spdlog::spdlog_ex& error) {
      return give_up(error.what(), line.time);
    }
    failed_ = false;
    complaint_.went_well();
  }
  void flush_() override {}

 private:
  void open() {
    std::error_code error;
    std::filesystem::create_directories(settings_.directory, error);
    if (error) {
      throw spdlog::spdlog_ex(
          fmt::format("the directory {} can't be made: {}", settings_.directory.string(), error.message()));
    }
    file_ = std::make_unique<spdlog::sinks::rotating_file_sink_st>(path_.string(), settings_.rotate_bytes,
                                                                   settings_.rotate_files);
    file_->set_pattern(settings_.json ? kJsonPattern : kPlainPattern);
  }
  void give_up(const std::string& why, std::chrono::system_clock::time_point at) {
    complaint_.failed(fmt::format("the status log {} can't be written: {}", path_.string(), why));
    file_.reset();
    failed_ = true;
    failed_at_ = at;
  }

  const StatusLog settings_;
  const std::filesystem::path path_;
  std::unique_ptr<spdlog::sinks::rotating_file_sink_st> file_;
  bool failed_ = false;
  std::chrono::system_clock::time_point failed_at_;
  Complaint complaint_;
};

// The status log's thread with its queue.
struct FileWriter {
  FileWriter(std::string_view program, const StatusLog& settings)
      : json(settings.json), complaint(program, "the status log's oldest waiting lines are lost") {
    const BlockedSignals blocked;  // inherited by the new thread
    pool = std::make_shared<spdlog::details::thread_pool>(kWaitingLinesMax, 1U);
    logger =
        std::make_shared<spdlog::async_logger>(std::string(program), std::make_shared<StatusFile>(program, settings),
                                               pool, spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(spdlog::level::debug);
  }
  // Writes what waits, unless the disk does not answer: then the thread goes on alone and ends with the process.
  ~FileWriter() {
    const auto written = std::make_shared<std::promise<void>>();
    std::future<void> done = written->get_future();
    try {
      const BlockedSignals blocked;
      std::thread([written, last_logger = std::move(logger), last_pool = std::move(pool)]() mutable {
        last_logger.reset();
        last_pool.reset();  // its end waits for its thread
        written->set_value();
      }).detach();
      constexpr auto kWait = std::chrono::seconds(5);
      done.wait_for(kWait);
    } catch (const std::system_error& error) {
      complaint.failed(fmt::format("the last lines can't be waited for: {}", error.what()));
    }
  }
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const LogEvent& event) {
    logger->log(level_of(event.severity), json ? json_members(event) : status_text(event));
    if (pool->overrun_counter() > overrun) complaint.failed("the disk does not keep up");
    overrun = pool->overrun_counter();
  }

  bool json;
  Complaint complaint;
  std::size_t overrun = 0;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
};

}  // namespace

struct Logger::Impl {
  Impl(std::string_view name, Severity least, const Places& places) : program(name), threshold(least) {
    if (places.standard_error) {
      terminal.emplace(program, std::make_shared<StandardError>(places.standard_error_fd));
      terminal->set_level(spdlog::level::debug);
      terminal->set_pattern(kPlainPattern);
    }
    if (places.file) file = std::make_unique<FileWriter>(program, *places.file);
    if (!places.journal_socket.empty()) journal = std::make_unique<DatagramPlace>(program, places.journal_socket);
    if (!places.syslog_socket.empty()) syslog = std::make_unique<DatagramPlace>(program, places.syslog_socket);
  }
  void write(const LogEvent& event) {
    if (event.severity < threshold) return;
    if (terminal) terminal->log(level_of(event.severity), to_text(event));
    if (file) file->write(event);
    if (journal) journal->send(journal_datagram(program, event));
    if (syslog) syslog->send(syslog_datagram(program, static_cast<int>(getpid()), event));
  }

  std::string program;
  Severity threshold;
  std::optional<spdlog::logger> terminal;
  std::unique_ptr<FileWriter> file;
  std::unique_ptr<DatagramPlace> journal;
  std::unique_ptr<DatagramPlace> syslog;
};

Logger::Logger(std::string_view program, Severity threshold, const Places& places)
    : impl_(std::make_unique<Impl>(program, threshold, places)) {}

Logger::~Logger() = default;

void Logger::write(const LogEvent& event) { impl_->write(event); }

void Logger::set_threshold(Severity threshold) noexcept { impl_->threshold = threshold; }

}  // namespace compositord::log
