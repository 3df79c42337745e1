#include "tools/compositorctl/dump_trace.h"

#include <poll.h>

#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "broker/trace/replay.h"

namespace compositord::ctl {

namespace {

using OnMessage = std::function<Outcome<bool>(const SeenMessage&)>;

bool is_readable(int fd) {
  pollfd wanted{fd, POLLIN, 0};  // poll(2) ignores a negative descriptor
  return ::poll(&wanted, 1, 0) > 0;
}

std::optional<SeenMessage> message_in(const std::optional<broker::Input>& input, std::int64_t unix_us) {
  if (!input) return std::nullopt;
  if (const auto* received = std::get_if<broker::input::Received>(&*input)) {
    return SeenMessage{unix_us, received->peer, Direction::kToBroker, false, received->frames};
  }
  if (const auto* too_large = std::get_if<broker::input::TooLarge>(&*input)) {
    return SeenMessage{unix_us, too_large->peer, Direction::kToBroker, true, {}};
  }
  return std::nullopt;
}

Outcome<bool> show_step(broker::ReplayedStep& step, UnixMs unix_at, const OnMessage& on_message) {
  const std::int64_t unix_us = unix_at.ms * 1'000 + step.at.ns() / 1'000 % 1'000;
  Outcome<bool> go_on = true;
  if (const std::optional<SeenMessage> message = message_in(step.input, unix_us)) go_on = on_message(*message);
  for (broker::Send& send : step.outputs.sends) {
    if (!go_on || !*go_on) break;
    go_on = on_message({unix_us, send.peer, Direction::kFromBroker, false, std::move(send.frames)});
  }
  return go_on;
}

}  // namespace

Outcome<void> dump_trace(const std::string& file, Console& console, int stop_fd, const OnMessage& on_message) {
  Result<broker::Replay> replay = broker::Replay::open(file);
  if (!replay) return give_up(ExitCode::kLocal, replay.error().text);
  bool told = false;
  while (!is_readable(stop_fd)) {
    Result<std::optional<broker::ReplayedStep>> step = replay->next();
    if (!step) return give_up(ExitCode::kLocal, fmt::format("{}: {}", file, step.error().text));
    if (!*step) break;
    if (!(*step)->is_identical() && !std::exchange(told, true)) {
      console.note(
          fmt::format("from step {} on this program decides otherwise than compositord {} did: what the broker "
                      "sends is what it would send now",
                      (*step)->number, replay->header().software));
    }
    const Outcome<bool> go_on = show_step(**step, replay->unix_at((*step)->at), on_message);
    if (!go_on) return tl::unexpected<Failure>(go_on.error());
    if (!*go_on) return {};
  }
  if (!replay->cut_off().empty()) console.note(fmt::format("{}: {}", file, replay->cut_off()));
  return {};
}

}  // namespace compositord::ctl
