#pragma once
// The agent's loop reduced to what a test of drivers needs: a DisplayWatch, the driver it makes, and everything they say.

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/driver.h"
#include "agent/wayland/display_watch.h"

namespace compositord::test {

class DriverLoop {
 public:
  explicit DriverLoop(agent::DisplaySettings settings);
  DriverLoop(agent::DisplaySettings settings, agent::DriverFactory factory)
      : watch(std::move(settings), std::move(factory)) {}

  // Polls and services until `done` or the timeout; whether it was done.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds timeout = std::chrono::seconds(10));

  template <class Event>
  const Event* last() const {
    const auto found = std::find_if(out.events.rbegin(), out.events.rend(),
                                    [](const auto& event) { return std::holds_alternative<Event>(event); });
    return found == out.events.rend() ? nullptr : std::get_if<Event>(&*found);
  }
  template <class Event>
  std::size_t count() const {
    std::size_t n = 0;
    for (const auto& event : out.events) n += std::holds_alternative<Event>(event) ? 1U : 0U;
    return n;
  }
  bool logged(std::string_view name) const;
  std::string log_text() const;

  // What the last manifest says of a command; neither supported nor a reason when it does not name it.
  msg::CommandSupport support_of(std::string_view command) const;

  // Up and described; forgets what was said before.
  bool wait_for_described();
  bool probe(std::chrono::milliseconds timeout);
  // Executes and waits for its end; a command that never ends has status kTimeout, which no driver says.
  agent::driver_event::CommandFinished run(const std::string& method, const msg::Value& params,
                                           std::chrono::milliseconds deadline = std::chrono::seconds(5));

  agent::DisplayWatch watch;
  std::unique_ptr<agent::Driver> driver;  // none while there is no compositor
  agent::DriverOutputs out;
  std::size_t services = 0;  // how often the loop turned: a driver that spins shows here

 private:
  std::uint64_t next_command_id_ = 1;
};

// What tests look at in what was said.
std::string as_text(const agent::driver_event::CommandFinished& finished);  // for the message of a failure
const msg::Output* find_output(const msg::Manifest& manifest, const std::string& name);
// A member of a map, or of a map in it; the text "missing" where one isn't there.
msg::Value field(const msg::Value& map, std::string_view a, std::string_view b = {}, std::string_view c = {});
// The parameters of a command that only says for which output it is.
msg::Value on_output(const std::string& output);
// Those of output.configure.
msg::Value configure(std::vector<msg::Value> outputs);

}  // namespace compositord::test
