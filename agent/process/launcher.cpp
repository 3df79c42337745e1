#include "agent/process/launcher.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "agent/process/process_watch.h"

namespace compositord::agent {

namespace {

void answer(std::optional<std::uint64_t>& command_id, Status status, std::string error, msg::Value result,
            DriverOutputs& out) {
  if (!command_id) return;
  out.events.emplace_back(driver_event::CommandFinished{*command_id, status, std::move(error), std::move(result)});
  command_id.reset();
}

msg::Value result_of(pid_t pid, const ProcessEnd& end = {}) {
  msg::Value result = msg::Value::map({{"pid", std::int64_t{pid}}});
  if (end.code) result.set("code", *end.code);
  if (end.signal) result.set("signal", *end.signal);
  return result;
}

}  // namespace

void Launcher::launch(std::uint64_t command_id, const msg::Value& params, const std::string& socket, Instant now,
                      Instant deadline, DriverOutputs& out) {
  auto launched = start(params, socket);
  if (!launched) {
    std::optional<std::uint64_t> id = command_id;
    return answer(id, launched.error().status, launched.error().text, msg::Value::map(), out);
  }
  launched->command_id = command_id;
  launched->answer_at = std::min(now + kEarlyEnd, deadline - kAnswerTime);
  launched_.push_back(std::move(*launched));
}

Result<Launcher::Launched> Launcher::start(const msg::Value& params, const std::string& socket) const {
  const auto request = parse_launch_request(params);
  if (!request) return tl::unexpected(request.error());
  auto path = settings_.programs.find(request->arguments.front());
  if (!path) return tl::unexpected(path.error());
  if (launched_.size() >= kRunningMax) {
    return fail(Status::kLimit, fmt::format("{} launched programs run here already; end one first", kRunningMax));
  }
  const LaunchDisplay display{settings_.x11_display.empty() ? socket : "", settings_.x11_display,
                              settings_.runtime_dir};
  ChildCommand command;
  command.arguments = request->arguments;
  command.lives_on = true;
  command.environment = launch_environment(environ, display, *request);
  command.executable = *path;
  command.is_alone = true;
  auto process = ChildProcess::start(command);
  if (!process) return tl::unexpected(process.error());
  return Launched{std::move(*process), std::move(*path), {}, false, {}};
}

void Launcher::poll_fds(std::vector<pollfd>& fds) const {
  for (const Launched& launched : launched_) launched.process.poll_fds(fds);
}

Instant Launcher::next_deadline() const noexcept {
  Instant next = kNever;
  for (const Launched& launched : launched_) {
    if (launched.command_id && launched.runs) next = std::min(next, launched.answer_at);
  }
  return next;
}

void Launcher::service(Instant now, DriverOutputs& out) {
  std::vector<Launched> left;
  for (Launched& launched : launched_) {
    if (serve(launched, now, out)) left.push_back(std::move(launched));
  }
  launched_ = std::move(left);
}

bool Launcher::serve(Launched& launched, Instant now, DriverOutputs& out) const {
  const ChildProcess::News news = launched.process.service();
  const pid_t pid = launched.process.pid();
  if (news.executed) {
    launched.runs = true;
    out.log.push_back(
        LogEvent(Severity::kInfo, "launch.started").with("program", launched.program).with("pid", std::to_string(pid)));
  }
  if (!news.exec_error.empty()) {
    answer(launched.command_id, Status::kFailed, news.exec_error, msg::Value::map(), out);
    return false;
  }
  if (news.end) {
    const std::string how = describe_end(*news.end);
    out.log.push_back(LogEvent(Severity::kInfo, "launch.ended")
                          .with("program", launched.program)
                          .with("pid", std::to_string(pid))
                          .with("how", how));
    // A code of 0 says that it did what it was to do (xsetroot), or goes on elsewhere (a client of a running server).
    const bool well = news.end->code == 0;
    answer(launched.command_id, well ? Status::kDone : Status::kFailed,
           well ? "" : fmt::format("{} {} at once", launched.program, how), result_of(pid, *news.end), out);
    return false;
  }
  if (launched.runs && now >= launched.answer_at) {
    answer(launched.command_id, Status::kDone, {}, result_of(pid), out);
  }
  return true;
}

}  // namespace compositord::agent
