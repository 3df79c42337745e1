#include "agent/core/commands.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "common/wire/mdp_codec.h"

namespace compositord::agent {

namespace {

constexpr wire::Dialect kDialect{wire::MdpVersion::k02, false};

// Why a method can't be carried out now; nothing when it can.
std::optional<Error> objection(const std::string& method, const msg::Manifest* manifest, std::size_t open,
                               std::size_t open_max) {
  if (manifest == nullptr) return Error{Status::kNotConnected, "no compositor is running on this display"};
  const auto& commands = manifest->commands;
  const auto it = std::find_if(commands.begin(), commands.end(), [&](const auto& c) { return c.name == method; });
  if (it == commands.end()) {
    std::string known;
    for (const msg::CommandSupport& c : commands) known += (known.empty() ? "" : ", ") + c.name;
    return Error{Status::kNotFound, fmt::format("there is no command \"{}\" ({})", escape_for_log(method, 64), known)};
  }
  if (!it->supported) return Error{Status::kUnsupported, it->reason};
  if (open >= open_max) return Error{Status::kLimit, fmt::format("the agent has {} commands in hand already", open)};
  return std::nullopt;
}

constexpr std::string_view kConfirm = "output.confirm";
constexpr std::string_view kIdentify = "identify";

bool is_supervisors(const std::string& method) { return method == "restart" || method == "stop"; }

// The same for the supervisor's methods.
std::optional<Error> supervisors_objection(const msg::Call& call, bool supervised, std::size_t open,
                                           std::size_t open_max) {
  if (!supervised) {
    return Error{Status::kUnsupported, fmt::format("this agent did not start its compositor, so it can't {} it; "
                                                   "it can with `compositor-agent run -- COMMAND`",
                                                   call.header.method)};
  }
  const msg::Value::Map* params = call.params.if_map();
  if (params != nullptr && !params->empty()) {
    return Error{Status::kMalformed, fmt::format("{} takes no parameters", call.header.method)};
  }
  if (open >= open_max) return Error{Status::kLimit, fmt::format("the agent has {} commands in hand already", open)};
  return std::nullopt;
}

}  // namespace

std::optional<Commands::Supervise> Commands::requested(wire::mdp::WorkerRequest&& request,
                                                       const msg::Manifest* manifest, Instant now, Outputs& out) {
  const auto refuse = [&](msg::Encoding encoding, const msg::Value& id, const Error& error) {
    reply(request.client_address, msg::error_reply(encoding, id, error), out);
    return std::nullopt;
  };
  const Result<msg::Call> call = msg::parse_call(request.body);
  if (!call) {
    const msg::Encoding encoding = msg::encoding_of(request.body);
    return refuse(encoding, msg::Value(), call.error());
  }
  const std::string& method = call->header.method;
  const bool of_supervisor = is_supervisors(method);
  const auto error =
      of_supervisor ? supervisors_objection(*call, config_.supervisor.has_value(), open_.size(), config_.commands_max)
                    : objection(method, manifest, open_.size(), config_.commands_max);
  if (error) return refuse(call->encoding, call->header.id, *error);
  msg::Value params = call->params;
  const auto within = Confirmation::take_within(method, params);
  if (!within) return refuse(call->encoding, call->header.id, within.error());
  if (method == kIdentify) {
    if (params.find("id") != nullptr) {
      return refuse(call->encoding, call->header.id,
                    Error{Status::kMalformed, "id: identify has no such parameter (seconds, text)"});
    }
    if (params.is_map()) params.set("id", config_.id.value());  // which the driver doesn't know
  }
  // The header is the client's own: what it asks for may be more than a Duration can hold.
  const Duration allowed =
      call->header.deadline_ms
          ? std::chrono::milliseconds(std::min(*call->header.deadline_ms, to_ms(config_.deadline_max)))
          : config_.default_deadline;
  const Instant deadline = now + allowed;
  const bool changes_outputs = method.starts_with("output.") && method != kConfirm;
  if (const std::string why = confirmation_.obstacle(now); !why.empty() && changes_outputs) {
    return refuse(call->encoding, call->header.id, Error{Status::kConflict, why});
  }
  Open open{std::move(request.client_address), call->encoding, call->header.id, deadline, of_supervisor};
  if (method == kConfirm) {
    confirm(open, params, out);
    return std::nullopt;
  }
  const std::uint64_t id = ++last_id_;
  open_[id] = std::move(open);
  if (of_supervisor) return Supervise{id, method == "restart"};
  if (*within) confirmation_.begin(id, method, **within);
  out.executes.push_back(Execute{id, method, std::move(params), deadline});
  return std::nullopt;
}

msg::CommandSupport Commands::confirm_support(const std::vector<msg::CommandSupport>& commands) {
  const auto changes_outputs = [](const auto& c) { return c.supported && c.name.starts_with("output."); };
  const bool supported = std::any_of(commands.begin(), commands.end(), changes_outputs);
  return {std::string(kConfirm), supported, supported ? "" : "no output of this compositor can be changed from here"};
}

msg::CommandSupport Commands::launch_support() const {
  const char* reason = "this agent was not told to launch programs; start it with --allow-launch PROGRAM";
  return {"launch", config_.may_launch, config_.may_launch ? "" : reason};
}

void Commands::confirm(const Open& open, const msg::Value& params, Outputs& out) {
  const bool has_params = params.if_map() != nullptr && !params.if_map()->empty();
  const Result<std::string> method =
      has_params ? fail(Status::kMalformed, "output.confirm takes no parameters") : confirmation_.confirm();
  if (!method) return reply(open.client_address, msg::error_reply(open.encoding, open.id, method.error()), out);
  msg::Reply answer;
  answer.encoding = open.encoding;
  answer.header.id = open.id;
  answer.header.status = to_number(Status::kDone);
  answer.result = msg::Value::map({{"confirmed", *method}});
  reply(open.client_address, answer, out);
}

void Commands::driver_finished(driver_event::CommandFinished finished, Instant now, Outputs& out) {
  confirmation_.finished(finished, now, out);
  this->finished(finished, out);
}

void Commands::finished(const driver_event::CommandFinished& finished, Outputs& out) {
  const auto it = open_.find(finished.command_id);
  if (it == open_.end()) return;  // its deadline was faster
  msg::Reply answer;
  answer.encoding = it->second.encoding;
  answer.header.id = it->second.id;
  answer.header.status = to_number(finished.status);
  if (!is_success(finished.status)) answer.header.error = finished.error;
  if (finished.result.is_map()) answer.result = finished.result;
  reply(it->second.client_address, answer, out);
  open_.erase(it);
}

void Commands::part(driver_event::CommandPart&& part, Outputs& out) {
  const auto it = open_.find(part.command_id);
  if (it == open_.end()) return;  // its deadline was faster
  Open& open = it->second;
  msg::Reply answer;
  answer.encoding = open.encoding;
  answer.header.id = open.id;
  answer.header.more = true;
  answer.result.set("offset", open.part_bytes);
  open.part_bytes += part.bytes.size();
  if (open.encoding == msg::Encoding::kJson) {
    answer.result.set("data", msg::Binary{std::move(part.bytes)});
  } else {
    answer.attachments.emplace_back(std::move(part.bytes));
  }
  reply(open.client_address, answer, out, false);
}

void Commands::compositor_gone(Outputs& out) {
  confirmation_.forget(out);
  const Error error{Status::kGone, "the compositor ended under the command; whether it was carried out is unknown"};
  for (auto it = open_.begin(); it != open_.end();) {
    const Open& open = it->second;
    if (open.of_supervisor) {
      ++it;
      continue;
    }
    reply(open.client_address, msg::error_reply(open.encoding, open.id, error), out);
    it = open_.erase(it);
  }
}

std::size_t Commands::driver_count() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(open_.begin(), open_.end(), [](const auto& entry) { return !entry.second.of_supervisor; }));
}

void Commands::tick(Instant now, Outputs& out) {
  const Error error{Status::kDeadline, "the compositor did not answer in time; whether it was carried out is unknown"};
  for (auto it = open_.begin(); it != open_.end();) {
    if (now < it->second.deadline) {
      ++it;
      continue;
    }
    reply(it->second.client_address, msg::error_reply(it->second.encoding, it->second.id, error), out);
    it = open_.erase(it);
  }
  if (auto execute = confirmation_.take_back(last_id_ + 1, now, config_.default_deadline, out)) {
    ++last_id_;
    out.executes.push_back(std::move(*execute));
  }
}

Instant Commands::next_deadline() const noexcept {
  Instant next = confirmation_.next_deadline();
  for (const auto& entry : open_) next = std::min(next, entry.second.deadline);
  return next;
}

void Commands::reply(const std::string& client_address, const msg::Reply& reply, Outputs& out, bool final) {
  wire::mdp::WorkerReply message{final, client_address, msg::serialize_reply(reply)};
  out.sends.push_back(wire::serialize(kDialect, std::move(message)));
}

}  // namespace compositord::agent
