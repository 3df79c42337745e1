#pragma once
// A driver with what the kernel knows besides: whether an output is off because its cable is out, which monitor it is, and that
// a graphics card hangs.
//
//   compositor says        | connector        | the output is
//   -----------------------|------------------|------------------------------------
//   on                     | any              | on
//   off or disconnected    | disconnected     | disconnected: the cable is out
//   off or disconnected    | connected        | off: somebody switched it off
//   off or disconnected    | unknown, or none | as the compositor says

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/driver.h"
#include "agent/kernel/connector_reader.h"
#include "agent/kernel/uevent_socket.h"

namespace compositord::agent {

// The driver itself where `folder` is not there: a machine without a graphics card. Errors: the driver's own.
Result<std::unique_ptr<Driver>> add_kernel_facts(Result<std::unique_ptr<Driver>> driver, const std::string& folder);

class KernelDriver : public Driver {
 public:
  // For so long a hung card is told as the cause of a probe that is late.
  static constexpr Duration kWedgedTold = std::chrono::minutes(10);

  // `uevents`: none where nobody tells of changes; the connectors are then read once.
  KernelDriver(std::unique_ptr<Driver> driver, const std::string& folder, Result<UeventSocket> uevents);

  void poll_fds(std::vector<pollfd>& fds) const override;
  Instant next_deadline() const noexcept override;
  void service(Instant now, DriverOutputs& out) override;
  void start_probe(Instant now, DriverOutputs& out) override;
  void look_at_process(DriverOutputs& out) override;
  void count_clients(Instant now, DriverOutputs& out) override;
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out) override;

  // What the kernel told; service() calls it.
  void take_uevent(const Uevent& event, Instant now, DriverOutputs& out);

 private:
  using OutputStates = std::vector<std::pair<std::string, msg::OutputState>>;

  void take(DriverOutputs& inner, DriverOutputs& out);
  void hear_uevents(Instant now, DriverOutputs& out);
  void read_connectors(DriverOutputs& out);
  void take_connectors(DriverOutputs& out);
  msg::Manifest with_monitors(msg::Manifest manifest) const;
  OutputStates with_cables(OutputStates states) const;

  std::unique_ptr<Driver> driver_;
  std::optional<UeventSocket> uevents_;
  ConnectorReader reader_;
  Connectors connectors_;
  std::vector<LogEvent> pending_log_;
  bool gone_ = false;

  std::string wedged_;  // "the graphics card hangs (…)"; empty when none does
  Instant wedged_until_ = kNever;
  // What the driver said last, and what was made of it.
  std::optional<msg::Manifest> manifest_;
  std::optional<OutputStates> states_;
  std::optional<msg::Manifest> told_manifest_;
  std::optional<OutputStates> told_states_;
};

}  // namespace compositord::agent
