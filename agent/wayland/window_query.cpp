#include "agent/wayland/window_query.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/windows/window_list.h"
#include "agent/wlr/toplevels.h"

namespace compositord::agent {

namespace {

// After the first all outputs are bound, so that the windows on them can name them; what the manager has to say, and the outputs'
// names, come with the second, and those by xdg-output, which is bound with it, with the third.
constexpr int kRoundTrips = 3;

void say(std::uint64_t command_id, Status status, std::string error, msg::Value result, DriverOutputs& out) {
  out.events.emplace_back(driver_event::CommandFinished{command_id, status, std::move(error), std::move(result)});
}

}  // namespace

struct WindowQuery::Question {
  std::uint64_t command_id = 0;
  std::string compositor;
  Instant deadline;
  std::unique_ptr<SideConnection> connection;  // before what lives on it
  std::optional<wlr::Toplevels> toplevels;
};

WindowQuery::WindowQuery() = default;
WindowQuery::~WindowQuery() = default;

msg::CommandSupport WindowQuery::support(const std::vector<msg::Protocol>& protocols, const std::string& compositor) {
  const bool has =
      std::any_of(protocols.begin(), protocols.end(), [](const auto& p) { return p.name == wlr::Toplevels::kGlobal; });
  const std::string reason =
      fmt::format("{} offers no {}, so it tells nobody which windows are there", compositor, wlr::Toplevels::kGlobal);
  return {std::string(kWindowsName), has, has ? "" : reason};
}

void WindowQuery::execute(std::uint64_t command_id, const msg::Value& params, const Target& target, Instant now,
                          Instant deadline, DriverOutputs& out) {
  const auto refuse = [&](Status status, std::string error) {
    say(command_id, status, std::move(error), msg::Value::map(), out);
  };
  if (const auto parsed = parse_windows_request(params); !parsed) {
    return refuse(parsed.error().status, parsed.error().text);
  }
  if (now >= deadline) return refuse(Status::kDeadline, "the deadline had passed");
  if (questions_.size() >= kAtWorkMax) {
    return refuse(Status::kLimit, fmt::format("{} others ask for the windows; ask again in a moment", kAtWorkMax));
  }
  auto connection = SideConnection::open(target.socket_path, target.peer);
  if (!connection) return refuse(Status::kFailed, connection.error().text);
  auto question = std::make_unique<Question>();
  question->command_id = command_id;
  question->compositor = target.compositor;
  question->deadline = deadline;
  question->connection = std::move(*connection);
  question->connection->ask_round_trip();
  question->connection->flush();
  questions_.push_back(std::move(question));
}

void WindowQuery::poll_fds(std::vector<pollfd>& fds) const {
  for (const auto& question : questions_) question->connection->poll_fds(fds);
}

Instant WindowQuery::next_deadline() const noexcept {
  Instant next = kNever;
  for (const auto& question : questions_) next = std::min(next, question->deadline);
  return next;
}

void WindowQuery::service(Instant now, DriverOutputs& out) {
  std::erase_if(questions_, [&](const auto& question) { return go_on(*question, now, out); });
}

bool WindowQuery::go_on(Question& q, Instant now, DriverOutputs& out) {
  const auto end = [&](Status status, std::string error) {
    say(q.command_id, status, std::move(error), msg::Value::map(), out);
    return true;
  };
  if (const auto went_on = q.connection->pump(); !went_on) {
    return end(Status::kFailed, fmt::format("{} does not tell its windows: {}", q.compositor, went_on.error().text));
  }
  if (now >= q.deadline) {
    return end(Status::kDeadline, fmt::format("{} did not tell its windows in time", q.compositor));
  }
  if (q.connection->awaits_round_trip()) return false;
  const RegistryMirror& registry = q.connection->registry();
  if (q.connection->round_trips() >= kRoundTrips) {
    say(q.command_id, Status::kDone, {}, q.toplevels->list(registry.bound_outputs()).result(), out);
    return true;
  }
  if (!q.toplevels) {
    const auto* global = registry.find_global(wlr::Toplevels::kGlobal);
    if (global == nullptr) {
      return end(Status::kUnsupported, fmt::format("{} offers no {} any more", q.compositor, wlr::Toplevels::kGlobal));
    }
    q.toplevels.emplace(registry.registry(), global->first, global->second.version);
  }
  q.connection->ask_round_trip();
  q.connection->flush();
  return false;
}

void WindowQuery::on_gone(DriverOutputs& out) {
  for (const auto& question : questions_) {
    say(question->command_id, Status::kGone, "the compositor ended under the command", msg::Value::map(), out);
  }
  questions_.clear();
}

}  // namespace compositord::agent
