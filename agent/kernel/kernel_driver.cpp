#include "agent/kernel/kernel_driver.h"

#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <variant>

#include <fmt/format.h>

namespace compositord::agent {

namespace {

std::string_view word_of(Plug plug) {
  switch (plug) {
    case Plug::kConnected: return "connected";
    case Plug::kDisconnected: return "disconnected";
    case Plug::kUnknown: break;
  }
  return "unknown";
}

void log_changes(const Connectors& before, const Connectors& now, DriverOutputs& out) {
  for (const auto& [name, connector] : now) {
    const auto old = before.find(name);
    if (old != before.end() && old->second == connector) continue;
    LogEvent event(Severity::kInfo, "kernel.connector");
    event.with("connector", name).with("status", std::string(word_of(connector.plug)));
    event.with("enabled", connector.enabled ? "yes" : "no");
    if (!connector.trouble.empty()) event.with("edid", connector.trouble);
    out.log.push_back(std::move(event));
  }
}

}  // namespace

Result<std::unique_ptr<Driver>> add_kernel_facts(Result<std::unique_ptr<Driver>> driver, const std::string& folder) {
  struct stat facts {};
  if (!driver || ::stat(folder.c_str(), &facts) != 0) return driver;
  return std::unique_ptr<Driver>(std::make_unique<KernelDriver>(std::move(*driver), folder, UeventSocket::open()));
}

KernelDriver::KernelDriver(std::unique_ptr<Driver> driver, const std::string& folder, Result<UeventSocket> uevents)
    : driver_(std::move(driver)), reader_(folder) {
  if (uevents) {
    uevents_.emplace(std::move(*uevents));
  } else {
    pending_log_.push_back(LogEvent(Severity::kWarning, "kernel.no_uevents").with("why", uevents.error().text));
  }
  DriverOutputs early;
  read_connectors(early);
  std::move(early.log.begin(), early.log.end(), std::back_inserter(pending_log_));
}

void KernelDriver::poll_fds(std::vector<pollfd>& fds) const {
  driver_->poll_fds(fds);
  if (gone_) return;
  reader_.poll_fds(fds);
  if (uevents_) uevents_->poll_fds(fds);
}

Instant KernelDriver::next_deadline() const noexcept {
  return gone_ ? kNever : std::min(driver_->next_deadline(), wedged_until_);
}

void KernelDriver::service(Instant now, DriverOutputs& out) {
  if (gone_) return;
  std::move(pending_log_.begin(), pending_log_.end(), std::back_inserter(out.log));
  pending_log_.clear();
  if (now >= wedged_until_) {
    wedged_.clear();
    wedged_until_ = kNever;
  }
  // The cable before the output: who unplugs a monitor is not told that it was switched off.
  hear_uevents(now, out);
  take_connectors(out);
  DriverOutputs inner;
  driver_->service(now, inner);
  take(inner, out);
}

void KernelDriver::start_probe(Instant now, DriverOutputs& out) {
  DriverOutputs inner;
  driver_->start_probe(now, inner);
  take(inner, out);
}

void KernelDriver::look_at_process(DriverOutputs& out) {
  DriverOutputs inner;
  driver_->look_at_process(inner);
  take(inner, out);
}

void KernelDriver::count_clients(Instant now, DriverOutputs& out) {
  DriverOutputs inner;
  driver_->count_clients(now, inner);
  take(inner, out);
}

void KernelDriver::execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
                           Instant deadline, DriverOutputs& out) {
  DriverOutputs inner;
  driver_->execute(command_id, method, params, now, deadline, inner);
  take(inner, out);
}

void KernelDriver::take(DriverOutputs& inner, DriverOutputs& out) {
  std::move(inner.log.begin(), inner.log.end(), std::back_inserter(out.log));
  for (DriverEvent& event : inner.events) {
    if (auto* described = std::get_if<driver_event::Described>(&event)) {
      manifest_ = described->manifest;
      described->manifest = with_monitors(std::move(described->manifest));
      told_manifest_ = described->manifest;
    } else if (auto* changed = std::get_if<driver_event::OutputsChanged>(&event)) {
      states_ = changed->outputs;
      changed->outputs = with_cables(std::move(changed->outputs));
      told_states_ = changed->outputs;
    } else if (auto* seen = std::get_if<driver_event::CauseSeen>(&event)) {
      if (!wedged_.empty()) seen->cause = seen->cause.empty() ? wedged_ : wedged_ + "; " + seen->cause;
    } else if (std::holds_alternative<driver_event::Gone>(event)) {
      gone_ = true;
    }
    out.events.push_back(std::move(event));
  }
}

void KernelDriver::hear_uevents(Instant now, DriverOutputs& out) {
  if (!uevents_) return;
  const auto heard = uevents_->service();
  if (!heard) {
    out.log.push_back(LogEvent(Severity::kWarning, "kernel.no_uevents").with("why", heard.error().text));
    uevents_.reset();
    return;
  }
  if (heard->lost_some) read_connectors(out);
  for (const Uevent& event : heard->events) take_uevent(event, now, out);
}

void KernelDriver::take_uevent(const Uevent& event, Instant now, DriverOutputs& out) {
  if (event.subsystem != "drm") return;
  if (!event.wedged.empty()) {
    wedged_ = fmt::format("the graphics card hangs ({}, recovery: {})", event.device, event.wedged);
    wedged_until_ = now + kWedgedTold;
    out.log.push_back(
        LogEvent(Severity::kError, "kernel.wedged").with("device", event.device).with("recovery", event.wedged));
  }
  // Also cards that come and go bring and take connectors.
  read_connectors(out);
}

void KernelDriver::read_connectors(DriverOutputs& out) {
  if (auto started = reader_.start(); !started) {
    out.log.push_back(LogEvent(Severity::kWarning, "kernel.not_read").with("why", started.error().text));
  }
}

void KernelDriver::take_connectors(DriverOutputs& out) {
  auto read = reader_.take();
  if (!read) {
    out.log.push_back(LogEvent(Severity::kWarning, "kernel.not_read").with("why", read.error().text));
    return;
  }
  if (!*read || **read == connectors_) return;
  log_changes(connectors_, **read, out);
  connectors_ = std::move(**read);
  if (manifest_) {
    msg::Manifest next = with_monitors(*manifest_);
    if (!(next == *told_manifest_)) out.events.emplace_back(driver_event::Described{next});
    told_manifest_ = std::move(next);
  }
  if (states_) {
    OutputStates next = with_cables(*states_);
    if (next != *told_states_) out.events.emplace_back(driver_event::OutputsChanged{next});
    told_states_ = std::move(next);
  }
}

msg::Manifest KernelDriver::with_monitors(msg::Manifest manifest) const {
  for (msg::Output& output : manifest.outputs) {
    const auto found = connectors_.find(output.name);
    if (found == connectors_.end()) continue;
    const Connector& connector = found->second;
    // The compositor's word first: it may know the maker's full name.
    if (output.make.empty()) output.make = connector.edid.make;
    if (output.model.empty()) output.model = connector.edid.model;
    if (output.serial.empty()) output.serial = connector.edid.serial;
    if (!connector.edid_hash.empty()) output.edid_hash = connector.edid_hash;
  }
  return manifest;
}

KernelDriver::OutputStates KernelDriver::with_cables(OutputStates states) const {
  for (auto& [name, state] : states) {
    const auto found = connectors_.find(name);
    if (found == connectors_.end() || state == msg::OutputState::kOn) continue;
    if (found->second.plug == Plug::kDisconnected) state = msg::OutputState::kDisconnected;
    if (found->second.plug == Plug::kConnected) state = msg::OutputState::kOff;
  }
  return states;
}

}  // namespace compositord::agent
