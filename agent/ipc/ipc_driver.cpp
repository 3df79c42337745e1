#include "agent/ipc/ipc_driver.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// Wayland's word on an output, with what only the IPC knows of it.
void enrich(msg::Output& output, const KnownOutput& known, bool has_exact_modes) {
  const msg::Output& o = known.output;
  if (!o.make.empty()) output.make = o.make;
  if (!o.model.empty()) output.model = o.model;
  output.serial = o.serial;
  output.scale = o.scale;
  output.x = o.x;
  output.y = o.y;
  output.transform = o.transform;
  // wl_output repeats the present mode of an output that takes any; wlr's heads, where they are there, have all the modes.
  if (has_exact_modes || output.modes.size() < o.modes.size()) output.modes = o.modes;
  if (o.current_mode) output.current_mode = o.current_mode;
}

template <class List, class NameOf>
auto find_named(List& list, const std::string& name, NameOf name_of) {
  return std::find_if(list.begin(), list.end(), [&](const auto& item) { return name_of(item) == name; });
}

}  // namespace

IpcDriver::IpcDriver(std::unique_ptr<WaylandDriver> wayland, std::unique_ptr<const IpcDialect> dialect,
                     std::unique_ptr<IpcSession> session, std::unique_ptr<IpcReload> reload)
    : wayland_(std::move(wayland)),
      dialect_(std::move(dialect)),
      session_(std::move(session)),
      runner_(*dialect_),
      reload_(std::move(reload)) {}

void IpcDriver::poll_fds(std::vector<pollfd>& fds) const {
  if (gone_) return;
  wayland_->poll_fds(fds);
  session_->poll_fds(fds);
  if (reload_ != nullptr) reload_->poll_fds(fds);
}

Instant IpcDriver::next_deadline() const noexcept {
  if (gone_) return kNever;
  Instant next = std::min({wayland_->next_deadline(), runner_.next_deadline(), describe_by_, reply_late_at_,
                           poll_outputs_at_, connect_at_, broken_until_});
  if (reload_ != nullptr) next = std::min(next, reload_->next_deadline());
  if (session_->is_open() && !owed_) next = std::min(next, runner_.next_ask_at());
  return next;
}

void IpcDriver::service(Instant now, DriverOutputs& out) {
  if (gone_) return;
  DriverOutputs inner;
  wayland_->service(now, inner);
  take_wayland(inner, now, out);
  if (gone_) return;
  connect_if_due(now, out);
  service_ipc(now, out);
  service_events(now, out);
  if (now >= broken_until_) ipc_failed(Error(*broken_), now, out);
  runner_.tick(now, out);
  if (reload_ != nullptr) reload_->service(now, out);
  ask_next(now);
  describe_if_due(now, out);
  if (now >= reply_late_at_) {
    reply_late_at_ = kNever;
    out.log.push_back(LogEvent(Severity::kWarning, "ipc.late").with("socket", session_->socket_path()));
  }
}

void IpcDriver::take_wayland(DriverOutputs& inner, Instant now, DriverOutputs& out) {
  std::move(inner.log.begin(), inner.log.end(), std::back_inserter(out.log));
  for (DriverEvent& event : inner.events) {
    std::visit(Overloaded{
                   [&](driver_event::Described& e) {
                     if (!wayland_manifest_) connect_at_ = now;  // before that its IPC socket may not be there
                     wayland_manifest_ = std::move(e.manifest);
                     changed_ = want_outputs_ = true;
                     describe_by_ = std::min(describe_by_, now + kFactsWait);
                   },
                   [&](driver_event::OutputsChanged& e) {
                     wayland_states_ = std::move(e.outputs);
                     changed_ = want_outputs_ = true;
                   },
                   [&](driver_event::Gone& e) {
                     gone_ = true;
                     runner_.on_gone(out);
                     if (reload_ != nullptr) reload_->on_gone(out);
                     session_->close();
                     out.events.emplace_back(std::move(e));
                   },
                   [&](auto& e) { out.events.emplace_back(std::move(e)); },
               },
               event);
  }
}

void IpcDriver::connect_if_due(Instant now, DriverOutputs& out) {
  if (now < connect_at_) return;
  connect_at_ = kNever;
  if (auto opened = session_->open(); !opened) return ipc_failed(opened.error(), now, out);
  ipc_trouble_.clear();
  want_outputs_ = want_inputs_ = true;
}

void IpcDriver::ipc_broke(Error error, Instant now) {
  session_->close();
  owed_.reset();
  reply_late_at_ = poll_outputs_at_ = kNever;
  broken_ = std::move(error);
  broken_until_ = now + kBrokenWait;
}

void IpcDriver::ipc_failed(const Error& error, Instant now, DriverOutputs& out) {
  broken_.reset();
  broken_until_ = kNever;
  version_.reset();
  outputs_.reset();
  inputs_.reset();
  runner_.on_connection_lost(out);
  if (reload_ != nullptr) reload_->on_connection_lost(out);
  changed_ = true;
  ipc_trouble_ = error.text;
  out.log.push_back(LogEvent(Severity::kWarning, "ipc.failed").with("why", error.text));
  wayland_->ask_executable(now, out);
  connect_at_ = now + reconnect_after_;
  reconnect_after_ = std::min(reconnect_after_ * 2, kReconnectMax);
}

void IpcDriver::service_ipc(Instant now, DriverOutputs& out) {
  if (!session_->is_open()) return;
  std::vector<std::string> replies;
  const auto serviced = session_->service(replies);
  for (const std::string& reply : replies) {
    if (!session_->is_open()) return;
    on_reply(reply, now, out);
  }
  if (!serviced && session_->is_open()) ipc_broke(serviced.error(), now);
}

void IpcDriver::service_events(Instant now, DriverOutputs& out) {
  if (!session_->is_open()) return;
  const auto changes = session_->service_events();
  if (!changes && changes.error().status == Status::kNotConnected) return ipc_broke(changes.error(), now);
  if (!changes) {
    // Without events it is asked at intervals, so nothing but speed is lost.
    out.log.push_back(LogEvent(Severity::kWarning, "ipc.no_events").with("why", changes.error().text));
    session_->close_events();
    poll_outputs_at_ = now;
    return;
  }
  want_outputs_ = want_outputs_ || changes->outputs;
  want_inputs_ = want_inputs_ || changes->inputs;
  if (changes->reloaded && reload_ != nullptr) reload_->on_reloaded(changes->reload_failed, out);
}

void IpcDriver::on_reply(const std::string& payload, Instant now, DriverOutputs& out) {
  const std::optional<IpcQuestion> question = std::exchange(owed_, std::nullopt);
  reply_late_at_ = kNever;
  if (!question) {
    return ipc_broke(
        Error{Status::kMalformed, fmt::format("{} sent a reply that nobody asked for", dialect_->compositor())}, now);
  }
  if (question == IpcQuestion::kCommand) {
    runner_.on_reply(payload, now, out);
    want_outputs_ = true;
    return;
  }
  if (question == IpcQuestion::kReload) return reload_->on_reply(payload, session_->has_events(), now, out);
  if (auto taken = take_facts(*question, payload); !taken) return ipc_broke(taken.error(), now);
  if (question == IpcQuestion::kOutputs) poll_outputs_at_ = session_->tells_outputs() ? kNever : now + kOutputsPoll;
  if (facts_complete()) reconnect_after_ = kReconnectFirst;
}

Result<void> IpcDriver::take_facts(IpcQuestion question, const std::string& payload) {
  changed_ = true;
  switch (question) {
    case IpcQuestion::kVersion:
      if (reload_ != nullptr) reload_->on_version(payload);
      return dialect_->parse_version(payload).map([&](std::string&& v) { version_ = std::move(v); });
    case IpcQuestion::kOutputs:
      return dialect_->parse_outputs(payload).map([&](std::vector<KnownOutput>&& v) { outputs_ = std::move(v); });
    case IpcQuestion::kInputs:
      return dialect_->parse_inputs(payload).map([&](std::vector<msg::InputDevice>&& v) { inputs_ = std::move(v); });
    case IpcQuestion::kCommand:        // the runner's
    case IpcQuestion::kReload: break;  // the reload's
  }
  return {};
}

void IpcDriver::ask_next(Instant now) {
  if (now >= poll_outputs_at_) {
    poll_outputs_at_ = kNever;
    want_outputs_ = true;
  }
  if (!session_->is_open() || owed_) return;
  if (!dialect_->has_inputs()) want_inputs_ = false;
  IpcQuestion question = IpcQuestion::kVersion;
  std::optional<IpcCommandRunner::Ask> command;
  std::string reload;
  if (!version_) {
    question = IpcQuestion::kVersion;
  } else if ((command = runner_.next_ask(now))) {
    question = IpcQuestion::kCommand;
  } else if (reload_ != nullptr && !(reload = reload_->take_request()).empty()) {
    question = IpcQuestion::kReload;
  } else if (std::exchange(want_outputs_, false)) {
    question = IpcQuestion::kOutputs;
  } else if (std::exchange(want_inputs_, false)) {
    question = IpcQuestion::kInputs;
  } else {
    return;
  }
  owed_ = question;
  reply_late_at_ = now + kReplyLate;
  const auto sent =
      session_->ask(command ? command->question : question, command           ? command->text
                                                            : !reload.empty() ? reload
                                                                              : dialect_->request(question));
  if (!sent) ipc_broke(sent.error(), now);
}

bool IpcDriver::facts_complete() const noexcept {
  const bool asking = want_outputs_ || want_inputs_ || owed_ == IpcQuestion::kOutputs || owed_ == IpcQuestion::kInputs;
  return version_ && outputs_ && (inputs_ || !dialect_->has_inputs()) && !asking;
}

void IpcDriver::describe_if_due(Instant now, DriverOutputs& out) {
  if (!changed_ || !wayland_manifest_) return;
  const bool facts_awaited = session_->is_open() && !facts_complete();
  const bool version_awaited = !session_->is_open() && !described_ && wayland_->is_asking_executable();
  if ((facts_awaited || version_awaited || broken_) && now < describe_by_) {
    if (describe_by_ == kNever) describe_by_ = now + kFactsWait;
    return;
  }
  changed_ = false;
  describe_by_ = kNever;
  msg::Manifest next = manifest();
  if (!described_ || !(*described_ == next)) {
    described_ = std::move(next);
    out.events.emplace_back(driver_event::Described{*described_});
  }
  OutputStates states = output_states();
  if (states == described_states_) return;
  described_states_ = std::move(states);
  out.events.emplace_back(driver_event::OutputsChanged{described_states_});
}

msg::Manifest IpcDriver::manifest() const {
  msg::Manifest m = *wayland_manifest_;
  offer_commands(m);
  if (!version_) return m;
  m.name = dialect_->compositor();
  m.version = *version_;
  m.version_source = "ipc";
  m.driver = dialect_->driver();
  if (inputs_) m.inputs = *inputs_;
  if (!outputs_) return m;
  for (const KnownOutput& known : *outputs_) {
    const auto output = find_named(m.outputs, known.output.name, [](const auto& o) { return o.name; });
    if (output != m.outputs.end()) {
      enrich(*output, known, dialect_->has_exact_modes());
    } else if (!known.active) {
      m.outputs.push_back(known.output);  // switched off: Wayland doesn't know it
    }
  }
  return m;
}

std::optional<std::string> IpcDriver::ipc_obstacle(const std::string& method) const {
  if (method == kReloadMethod && reload_ != nullptr) return reload_->obstacle();
  if (const auto kind = output_method(method)) return dialect_->obstacle(*kind);
  const bool can_add = method == kAddName && !dialect_->create_output().empty();
  return can_add || method == kConfigureName ? std::optional(std::string()) : std::nullopt;
}

void IpcDriver::offer_commands(msg::Manifest& manifest) const {
  const std::string_view compositor = dialect_->compositor();
  for (msg::CommandSupport& command : manifest.commands) {
    if (command.supported) continue;  // by Wayland's protocols
    auto why_not = ipc_obstacle(command.name);
    if (!why_not) continue;
    if (version_) {
      command.reason = std::move(*why_not);
      command.supported = command.reason.empty();
    } else if (ipc_trouble_.empty()) {
      command.reason = fmt::format("{} does not answer on its IPC socket", compositor);
    } else {
      command.reason = fmt::format("no {} IPC: {}", compositor, ipc_trouble_);
    }
  }
}

IpcDriver::OutputStates IpcDriver::output_states() const {
  OutputStates states = wayland_states_;
  if (!outputs_) return states;
  for (const KnownOutput& known : *outputs_) {
    if (known.active && known.powered) continue;
    const auto state = find_named(states, known.output.name, [](const auto& s) { return s.first; });
    if (state != states.end()) {
      state->second = msg::OutputState::kOff;
    } else {
      states.emplace_back(known.output.name, msg::OutputState::kOff);
    }
  }
  return states;
}

void IpcDriver::start_probe(Instant now, DriverOutputs& out) { wayland_->start_probe(now, out); }

void IpcDriver::look_at_process(DriverOutputs& out) { wayland_->look_at_process(out); }

void IpcDriver::count_clients(Instant now, DriverOutputs& out) { wayland_->count_clients(now, out); }

void IpcDriver::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                        Instant deadline, DriverOutputs& out) {
  const auto why_not = ipc_obstacle(method);
  const bool has_ipc = session_->is_open() || broken_;
  const bool by_wayland = dialect_->prefers_wayland() && is_wayland_command(method);
  if (has_ipc && why_not && why_not->empty() && !by_wayland) {
    if (method == kReloadMethod) {
      reload_->begin(command_id, params, wayland_->peer(), now, deadline, out);
      return ask_next(now);
    }
    runner_.execute(command_id, method, params, now, deadline, out);
    return ask_next(now);
  }
  DriverOutputs inner;
  wayland_->execute(command_id, method, params, now, deadline, inner);
  for (DriverEvent& event : inner.events) {
    auto* finished = std::get_if<driver_event::CommandFinished>(&event);
    if (!why_not || finished == nullptr || finished->status != Status::kUnsupported) continue;
    if (has_ipc && !why_not->empty()) {
      finished->error = *why_not;
    } else if (!ipc_trouble_.empty()) {
      finished->error = fmt::format("no {} IPC: {}", dialect_->compositor(), ipc_trouble_);
    }
  }
  take_wayland(inner, now, out);
}

bool IpcDriver::is_wayland_command(const std::string& method) const {
  if (!wayland_manifest_) return false;
  const auto& commands = wayland_manifest_->commands;
  return std::any_of(commands.begin(), commands.end(), [&](const auto& c) { return c.name == method && c.supported; });
}

}  // namespace compositord::agent
