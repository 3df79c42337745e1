#include "agent/systemd/end_witness.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "agent/process/known_exit.h"
#include "agent/process/process_watch.h"
#include "common/base/log_event.h"

namespace compositord::agent::systemd {

Result<EndWitness> EndWitness::watch(const Peer& compositor, std::string name) {
  return open_pidfd(compositor).map([&](FileDescriptor&& pidfd) {
    return EndWitness(std::move(pidfd), compositor, std::move(name));
  });
}

EndWitness::EndWitness(FileDescriptor pidfd, const Peer& compositor, std::string name)
    : pid_(compositor.pid), name_(std::move(name)), pidfd_(std::move(pidfd)) {
  // Its own manager first: what a user's unit runs is for the system's manager a part of user@UID.service.
  units_[0] = std::make_unique<UnitOnBus>(compositor, dbus::Bus::kSession);
  units_[1] = std::make_unique<UnitOnBus>(compositor, dbus::Bus::kSystem);
}

void EndWitness::poll_fds(std::vector<pollfd>& fds) const {
  if (pidfd_.is_open()) fds.push_back(pollfd{pidfd_.get(), POLLIN, 0});
  for (const auto& unit : units_) unit->poll_fds(fds);
}

Instant EndWitness::next_deadline() const noexcept {
  if (given_up_) return kNever;
  return std::min({give_up_at_, units_[0]->next_deadline(), units_[1]->next_deadline()});
}

void EndWitness::service(Instant now, DriverOutputs& out) {
  if (pidfd_.is_open()) {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    if (::poll(&ended, 1, 0) > 0) {
      pidfd_ = FileDescriptor();
      give_up_at_ = now + kGiveUp;
    }
  }
  if (now >= give_up_at_) given_up_ = true;
  for (const auto& unit : units_) {
    unit->service(now, !pidfd_.is_open());
    if (unit->unit().empty() || std::exchange(logged_, true)) continue;
    out.log.push_back(
        LogEvent(Severity::kInfo, "systemd.unit").with("unit", unit->unit()).with("pid", std::to_string(pid_)));
  }
}

std::optional<driver_event::Gone> EndWitness::told() const {
  for (const auto& unit : units_) {
    if (!unit->end()) continue;
    driver_event::Gone gone;
    gone.end = *unit->end();
    gone.text = describe_end_of(name_, gone.end);
    gone.as_when_asked = is_known_exit(name_, gone.end);
    gone.told_by = fmt::format("systemd, whose unit {} it was", unit->unit());
    return gone;
  }
  return std::nullopt;
}

bool EndWitness::is_over() const noexcept {
  return given_up_ || std::all_of(units_.begin(), units_.end(), [](const auto& unit) { return unit->is_over(); });
}

}  // namespace compositord::agent::systemd
