#include "agent/output/reload_command.h"

#include <utility>

namespace compositord::agent {

namespace {

void refuse(std::uint64_t id, Status status, std::string error, DriverOutputs& out) {
  driver_event::CommandFinished finished;
  finished.command_id = id;
  finished.status = status;
  finished.error = std::move(error);
  out.events.emplace_back(std::move(finished));
}

}  // namespace

bool ReloadCommand::begin(std::uint64_t command_id, const msg::Value& params, Instant now, Instant deadline,
                          DriverOutputs& out) {
  const msg::Value::Map* map = params.if_map();
  if (map != nullptr && !map->empty()) {
    refuse(command_id, Status::kMalformed, "reload takes no parameters", out);
  } else if (now >= deadline) {
    refuse(command_id, Status::kDeadline, "the deadline had passed; nothing was done", out);
  } else if (at_work_) {
    refuse(command_id, Status::kLimit, "a reload is at work already; ask again when it has ended", out);
  } else {
    at_work_ = AtWork{command_id, deadline};
    return true;
  }
  return false;
}

void ReloadCommand::succeed(std::string done, bool checked, DriverOutputs& out) {
  if (!at_work_) return;
  driver_event::CommandFinished finished;
  finished.command_id = at_work_->id;
  finished.result = msg::Value::map({{"done", std::move(done)}, {"checked", checked}});
  out.events.emplace_back(std::move(finished));
  at_work_.reset();
}

void ReloadCommand::fail(Status status, std::string error, DriverOutputs& out) {
  if (!at_work_) return;
  refuse(at_work_->id, status, std::move(error), out);
  at_work_.reset();
}

bool ReloadCommand::tick(Instant now, DriverOutputs& out) {
  if (!at_work_ || now < at_work_->deadline) return false;
  fail(Status::kDeadline, "the compositor did not answer in time; whether it has reloaded is unknown", out);
  return true;
}

void ReloadCommand::on_gone(DriverOutputs& out) { fail(Status::kGone, "the compositor ended under the command", out); }

}  // namespace compositord::agent
