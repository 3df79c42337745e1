#include "agent/sway/sway_driver.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

namespace compositord::agent::sway {

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

// Wayland's word on an output, with what only sway knows of it.
void enrich(msg::Output& output, const KnownOutput& known) {
  const msg::Output& o = known.output;
  if (!o.make.empty()) output.make = o.make;
  if (!o.model.empty()) output.model = o.model;
  output.serial = o.serial;
  output.scale = o.scale;
  output.x = o.x;
  output.y = o.y;
  output.transform = o.transform;
  output.modes = o.modes;  // Wayland repeats the present mode of an output that takes any
  if (o.current_mode) output.current_mode = o.current_mode;
}

// sway's IPC carries these out, and Wayland the others.
bool is_of_outputs(std::string_view method) { return method.starts_with("output."); }

template <class List, class NameOf>
auto find_named(List& list, const std::string& name, NameOf name_of) {
  return std::find_if(list.begin(), list.end(), [&](const auto& item) { return name_of(item) == name; });
}

}  // namespace

SwayDriver::SwayDriver(std::unique_ptr<WaylandDriver> wayland, std::string ipc_path)
    : wayland_(std::move(wayland)), ipc_path_(std::move(ipc_path)) {}

void SwayDriver::poll_fds(std::vector<pollfd>& fds) const {
  if (gone_) return;
  wayland_->poll_fds(fds);
  if (requests_) requests_->poll_fds(fds);
  if (subscription_) subscription_->poll_fds(fds);
}

Instant SwayDriver::next_deadline() const noexcept {
  if (gone_) return kNever;
  Instant next = std::min({wayland_->next_deadline(), runner_.next_deadline(), describe_by_, reply_late_at_,
                           poll_outputs_at_, connect_at_, broken_until_});
  if (requests_ && owed_ == Owed::kNothing) next = std::min(next, runner_.next_ask_at());
  return next;
}

void SwayDriver::service(Instant now, DriverOutputs& out) {
  if (gone_) return;
  DriverOutputs inner;
  wayland_->service(now, inner);
  take_wayland(inner, now, out);
  if (gone_) return;
  connect_if_due(now, out);
  service_ipc(now, out);
  service_subscription(now, out);
  if (now >= broken_until_) ipc_failed(Error(*broken_), now, out);
  runner_.tick(now, out);
  ask_next(now);
  describe_if_due(now, out);
  if (now >= reply_late_at_) {
    reply_late_at_ = kNever;
    out.log.push_back(LogEvent(Severity::kWarning, "sway.ipc_late").with("socket", ipc_path_));
  }
}

void SwayDriver::take_wayland(DriverOutputs& inner, Instant now, DriverOutputs& out) {
  std::move(inner.log.begin(), inner.log.end(), std::back_inserter(out.log));
  for (DriverEvent& event : inner.events) {
    std::visit(Overloaded{
                   [&](driver_event::Described& e) {
                     if (!wayland_manifest_) connect_at_ = now;  // before that sway may not have made its IPC socket
                     wayland_manifest_ = std::move(e.manifest);
                     changed_ = want_outputs_ = true;
                     describe_by_ = std::min(describe_by_, now + kFactsWait);
                   },
                   [&](driver_event::OutputsChanged& e) {
                     wayland_states_ = std::move(e.outputs);
                     changed_ = true;
                   },
                   [&](driver_event::Gone& e) {
                     gone_ = true;
                     runner_.on_gone(out);
                     requests_.reset();
                     subscription_.reset();
                     out.events.emplace_back(std::move(e));
                   },
                   [&](auto& e) { out.events.emplace_back(std::move(e)); },
               },
               event);
  }
}

void SwayDriver::connect_if_due(Instant now, DriverOutputs& out) {
  if (now < connect_at_) return;
  connect_at_ = kNever;
  if (auto opened = open_ipc(); !opened) return ipc_failed(opened.error(), now, out);
  ipc_trouble_.clear();
  want_outputs_ = want_inputs_ = true;
}

Result<void> SwayDriver::open_ipc() {
  auto requests = IpcConnection::open(ipc_path_, wayland_->peer().pid);
  if (!requests) return tl::unexpected(requests.error());
  auto subscription = IpcSubscription::open(ipc_path_, wayland_->peer().pid);
  if (!subscription) return tl::unexpected(subscription.error());
  requests_ = std::move(*requests);
  subscription_ = std::move(*subscription);
  return {};
}

void SwayDriver::ipc_broke(Error error, Instant now) {
  requests_.reset();
  subscription_.reset();
  owed_ = Owed::kNothing;
  reply_late_at_ = poll_outputs_at_ = kNever;
  broken_ = std::move(error);
  broken_until_ = now + kBrokenWait;
}

void SwayDriver::ipc_failed(const Error& error, Instant now, DriverOutputs& out) {
  broken_.reset();
  broken_until_ = kNever;
  version_.reset();
  outputs_.reset();
  inputs_.reset();
  runner_.on_connection_lost(out);
  changed_ = true;
  ipc_trouble_ = error.text;
  out.log.push_back(LogEvent(Severity::kWarning, "sway.ipc_failed").with("why", error.text));
  wayland_->ask_executable(now, out);
  connect_at_ = now + reconnect_after_;
  reconnect_after_ = std::min(reconnect_after_ * 2, kReconnectMax);
}

void SwayDriver::service_ipc(Instant now, DriverOutputs& out) {
  if (!requests_) return;
  std::vector<IpcMessage> messages;
  const auto serviced = requests_->service(messages);
  for (const IpcMessage& message : messages) {
    if (!requests_) return;
    on_reply(message.payload, now, out);
  }
  if (!serviced && requests_) ipc_broke(serviced.error(), now);
}

void SwayDriver::service_subscription(Instant now, DriverOutputs& out) {
  if (!subscription_) return;
  const auto seen = subscription_->service();
  if (!seen && seen.error().status == Status::kNotConnected) return ipc_broke(seen.error(), now);
  if (!seen) {
    // Without events sway is asked at intervals, so nothing but speed is lost.
    out.log.push_back(LogEvent(Severity::kWarning, "sway.no_events").with("why", seen.error().text));
    subscription_.reset();
    poll_outputs_at_ = now;
    return;
  }
  want_outputs_ = want_outputs_ || seen->outputs_changed;
  want_inputs_ = want_inputs_ || seen->inputs_changed;
}

void SwayDriver::on_reply(const std::string& payload, Instant now, DriverOutputs& out) {
  const Owed kind = std::exchange(owed_, Owed::kNothing);
  reply_late_at_ = kNever;
  if (kind == Owed::kCommand) {
    runner_.on_reply(payload, now, out);
    want_outputs_ = true;
    return;
  }
  if (auto taken = take_facts(kind, payload); !taken) return ipc_broke(taken.error(), now);
  if (kind == Owed::kOutputs) {
    const bool told = subscription_ && subscription_->tells_outputs();
    poll_outputs_at_ = told ? kNever : now + kOutputsPoll;
  }
  if (facts_complete()) reconnect_after_ = kReconnectFirst;
}

Result<void> SwayDriver::take_facts(Owed kind, const std::string& payload) {
  changed_ = true;
  switch (kind) {
    case Owed::kVersion: return parse_version(payload).map([&](std::string&& v) { version_ = std::move(v); });
    case Owed::kOutputs:
      return parse_outputs(payload).map([&](std::vector<KnownOutput>&& v) { outputs_ = std::move(v); });
    case Owed::kInputs:
      return parse_inputs(payload).map([&](std::vector<msg::InputDevice>&& v) { inputs_ = std::move(v); });
    case Owed::kNothing:
    case Owed::kCommand: break;
  }
  return fail(Status::kMalformed, "sway sent a reply that nobody asked for");
}

void SwayDriver::ask_next(Instant now) {
  if (now >= poll_outputs_at_) {
    poll_outputs_at_ = kNever;
    want_outputs_ = true;
  }
  if (!requests_ || owed_ != Owed::kNothing) return;
  CommandRunner::Ask ask{IpcType::kGetOutputs, {}};
  if (!version_) {
    owed_ = Owed::kVersion;
    ask.type = IpcType::kGetVersion;
  } else if (auto command = runner_.next_ask(now)) {
    owed_ = Owed::kCommand;
    ask = std::move(*command);
  } else if (std::exchange(want_outputs_, false)) {
    owed_ = Owed::kOutputs;
  } else if (std::exchange(want_inputs_, false)) {
    owed_ = Owed::kInputs;
    ask.type = IpcType::kGetInputs;
  } else {
    return;
  }
  reply_late_at_ = now + kReplyLate;
  if (auto sent = requests_->send(ask.type, ask.payload); !sent) ipc_broke(sent.error(), now);
}

bool SwayDriver::facts_complete() const noexcept {
  const bool asking = want_outputs_ || want_inputs_ || owed_ == Owed::kOutputs || owed_ == Owed::kInputs;
  return version_ && outputs_ && inputs_ && !asking;
}

void SwayDriver::describe_if_due(Instant now, DriverOutputs& out) {
  if (!changed_ || !wayland_manifest_) return;
  const bool facts_awaited = requests_ && !facts_complete();
  const bool version_awaited = !requests_ && !described_ && wayland_->is_asking_executable();
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

msg::Manifest SwayDriver::manifest() const {
  msg::Manifest m = *wayland_manifest_;
  if (!version_) {
    for (msg::CommandSupport& command : m.commands) {
      if (!is_of_outputs(command.name)) continue;
      command.reason = ipc_trouble_.empty() ? "sway does not answer on its IPC socket" : "no sway IPC: " + ipc_trouble_;
    }
    return m;
  }
  m.name = "sway";
  m.version = *version_;
  m.version_source = "ipc";
  m.driver = "sway";
  if (inputs_) m.inputs = *inputs_;
  for (msg::CommandSupport& command : m.commands) {
    if (is_of_outputs(command.name)) command = msg::CommandSupport{command.name, true, {}};
  }
  if (!outputs_) return m;
  for (const KnownOutput& known : *outputs_) {
    const auto output = find_named(m.outputs, known.output.name, [](const auto& o) { return o.name; });
    if (output != m.outputs.end()) {
      enrich(*output, known);
    } else if (!known.active) {
      m.outputs.push_back(known.output);  // switched off: Wayland doesn't know it
    }
  }
  return m;
}

SwayDriver::OutputStates SwayDriver::output_states() const {
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

void SwayDriver::start_probe(Instant now, DriverOutputs& out) { wayland_->start_probe(now, out); }

void SwayDriver::look_at_process(DriverOutputs& out) { wayland_->look_at_process(out); }

void SwayDriver::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                         Instant deadline, DriverOutputs& out) {
  if (!is_of_outputs(method)) return wayland_->execute(command_id, method, params, now, deadline, out);
  if (requests_ || broken_) {
    runner_.execute(command_id, method, params, now, deadline, out);
    return ask_next(now);
  }
  DriverOutputs refused;
  wayland_->execute(command_id, method, params, now, deadline, refused);
  for (DriverEvent& event : refused.events) {
    auto* finished = std::get_if<driver_event::CommandFinished>(&event);
    if (finished != nullptr && finished->status == Status::kUnsupported && !ipc_trouble_.empty()) {
      finished->error = "no sway IPC: " + ipc_trouble_;
    }
    out.events.push_back(std::move(event));
  }
}

}  // namespace compositord::agent::sway
