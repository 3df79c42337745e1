#include "tests/support/driver_loop.h"

#include <poll.h>

#include <algorithm>

#include <fmt/format.h>

#include "agent/sway/driver_factory.h"
#include "common/base/clock.h"

namespace compositord::test {

DriverLoop::DriverLoop(agent::DisplaySettings settings)
    : watch(std::move(settings), [](agent::ConnectedDisplay display, Instant now) {
        return agent::make_wayland_family_driver(std::move(display), now);
      }) {}

bool DriverLoop::run_until(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const Instant end = monotonic_now() + timeout;
  while (!done()) {
    Instant now = monotonic_now();
    if (now >= end) return false;
    std::vector<pollfd> fds;
    watch.poll_fds(fds);
    if (driver) driver->poll_fds(fds);
    Instant next = std::min(end, watch.next_deadline());
    if (driver) next = std::min(next, driver->next_deadline());
    const Duration wait = std::max(next - now, Duration::zero());
    const timespec limit{wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
    ::ppoll(fds.data(), fds.size(), &limit, nullptr);
    now = monotonic_now();
    ++services;
    if (driver) {
      const std::size_t before = count<agent::driver_event::Gone>();
      driver->service(now, out);
      if (count<agent::driver_event::Gone>() > before) {
        driver.reset();
        watch.search_again(now);
      }
    } else {
      driver = watch.service(now, out);
    }
  }
  return true;
}

bool DriverLoop::logged(std::string_view name) const {
  return std::any_of(out.log.begin(), out.log.end(), [&](const LogEvent& event) { return event.name == name; });
}

msg::CommandSupport DriverLoop::support_of(std::string_view command) const {
  const auto* described = last<agent::driver_event::Described>();
  if (described == nullptr) return {};
  for (const msg::CommandSupport& support : described->manifest.commands) {
    if (support.name == command) return support;
  }
  return {};
}

std::string DriverLoop::log_text() const {
  std::string text;
  for (const LogEvent& event : out.log) text += to_text(event) + "\n";
  return text;
}

bool DriverLoop::wait_for_described() {
  out.events.clear();
  return run_until([&] { return count<agent::driver_event::Described>() > 0; });
}

bool DriverLoop::probe(std::chrono::milliseconds timeout) {
  const std::size_t before = count<agent::driver_event::ProbeAnswered>();
  driver->start_probe(monotonic_now(), out);
  return run_until([&] { return count<agent::driver_event::ProbeAnswered>() > before; }, timeout);
}

agent::driver_event::CommandFinished DriverLoop::run(const std::string& method, const msg::Value& params,
                                                     std::chrono::milliseconds deadline) {
  const std::uint64_t id = next_command_id_++;
  const Instant now = monotonic_now();
  driver->execute(id, method, params, now, now + deadline, out);
  const auto finished = [&]() -> const agent::driver_event::CommandFinished* {
    const auto* last_one = last<agent::driver_event::CommandFinished>();
    return last_one != nullptr && last_one->command_id == id ? last_one : nullptr;
  };
  if (run_until([&] { return finished() != nullptr; }, deadline + std::chrono::seconds(2))) return *finished();
  agent::driver_event::CommandFinished never;
  never.command_id = id;
  never.status = Status::kTimeout;
  never.error = "the driver never ended the command";
  return never;
}

std::string as_text(const agent::driver_event::CommandFinished& finished) {
  return fmt::format("{} {} {}", to_number(finished.status), finished.error, msg::encode_json(finished.result));
}

const msg::Output* find_output(const msg::Manifest& manifest, const std::string& name) {
  const auto found = std::find_if(manifest.outputs.begin(), manifest.outputs.end(),
                                  [&](const msg::Output& output) { return output.name == name; });
  return found == manifest.outputs.end() ? nullptr : &*found;
}

msg::Value field(const msg::Value& map, std::string_view a, std::string_view b, std::string_view c) {
  const msg::Value* found = map.find(a);
  if (found != nullptr && !b.empty()) found = found->find(b);
  if (found != nullptr && !c.empty()) found = found->find(c);
  return found == nullptr ? msg::Value("missing") : *found;
}

msg::Value on_output(const std::string& output) { return msg::Value::map({{"output", output}}); }

msg::Value configure(std::vector<msg::Value> outputs) {
  return msg::Value::map({{"outputs", msg::Value::array(std::move(outputs))}});
}

}  // namespace compositord::test
