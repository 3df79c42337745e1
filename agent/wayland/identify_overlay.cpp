#include "agent/wayland/identify_overlay.h"

#include <wayland-client.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "agent/identify/identify_card.h"
#include "agent/wayland/layer_shell.h"
#include "agent/wlr/card_surface.h"

namespace compositord::agent {

namespace {

// Names of outputs come with xdg-output's objects, which are bound in the answer to the first round trip.
constexpr int kRoundTrips = 2;

}  // namespace

struct IdentifyOverlay::Shown {
  std::unique_ptr<LayerShell> shell;  // before what is made with it
  std::vector<std::unique_ptr<wlr::CardSurface>> cards;
};

IdentifyOverlay::IdentifyOverlay() = default;

IdentifyOverlay::~IdentifyOverlay() { end(); }

msg::CommandSupport IdentifyOverlay::support(const std::vector<msg::Protocol>& protocols,
                                             const std::string& compositor) {
  const bool has =
      std::any_of(protocols.begin(), protocols.end(), [](const auto& p) { return p.name == LayerShell::kGlobal; });
  const std::string reason =
      fmt::format("{} offers no {}, so nothing can be shown above its windows", compositor, LayerShell::kGlobal);
  return {std::string(kIdentifyName), has, has ? "" : reason};
}

void IdentifyOverlay::execute(std::uint64_t command_id, const msg::Value& params, const Target& target, Instant now,
                              Instant deadline, DriverOutputs& out) {
  const auto refuse = [&](Status status, std::string error) {
    out.events.emplace_back(driver_event::CommandFinished{command_id, status, std::move(error), msg::Value::map()});
  };
  auto request = parse_identify_request(params);
  if (!request) return refuse(request.error().status, request.error().text);
  if (command_id_) return refuse(Status::kConflict, "another identify is about to be shown; try again in a moment");
  end();
  request_ = std::move(*request);
  compositor_ = target.compositor;
  command_id_ = command_id;
  until_ = std::min(now + kShowTime, deadline);
  if (const auto begun = begin(target); !begun) {
    finish(Status::kFailed, begun.error().text, out);
    return end();
  }
  service(now, out);
}

Result<void> IdentifyOverlay::begin(const Target& target) {
  auto connection = SideConnection::open(target.socket_path, target.peer);
  if (!connection) return tl::unexpected(connection.error());
  connection_ = std::move(*connection);
  shown_ = std::make_unique<Shown>();
  state_ = State::kGreeting;
  return {};
}

void IdentifyOverlay::poll_fds(std::vector<pollfd>& fds) const {
  if (connection_ != nullptr) connection_->poll_fds(fds);
}

void IdentifyOverlay::service(Instant now, DriverOutputs& out) {
  if (state_ == State::kIdle) return;
  Result<void> went_on = connection_->pump();
  if (went_on && state_ == State::kGreeting && !connection_->awaits_round_trip()) {
    if (connection_->round_trips() == kRoundTrips) {
      went_on = show_cards();
    } else {
      connection_->ask_round_trip();
    }
    if (went_on) went_on = connection_->pump();
  }
  if (!went_on) {
    const std::string why = fmt::format("{} does not show it: {}", compositor_, went_on.error().text);
    if (!command_id_) out.log.push_back(LogEvent(Severity::kWarning, "identify.lost").with("why", why));
    finish(went_on.error().status == Status::kGone ? Status::kFailed : went_on.error().status, why, out);
    return end();
  }
  check_shown(now, out);
}

Result<void> IdentifyOverlay::show_cards() {
  const RegistryMirror& registry = connection_->registry();
  auto shell = LayerShell::bind(registry);
  if (!shell) return tl::unexpected(shell.error());
  shown_->shell = std::move(*shell);
  const wlr::LayerGlobals& globals = shown_->shell->globals();
  state_ = State::kShowing;
  const std::vector<msg::Output> outputs = registry.outputs();
  const std::vector<wlr::BoundOutput> bound = registry.bound_outputs();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (bound[i].proxy == nullptr || !outputs[i].current_mode) continue;
    // wl_output's scale is whole; a compositor with 1.5 says 2 and makes the picture smaller.
    const int scale = std::clamp(static_cast<int>(std::ceil(outputs[i].scale)), 1, 8);
    const auto image = draw_identify_card(request_, outputs[i], scale);
    if (!image) return tl::unexpected(image.error());
    auto card = std::make_unique<wlr::CardSurface>(globals, bound[i].proxy, outputs[i].name);
    if (auto asked = card->show(globals, *image, scale); !asked) return asked;
    shown_->cards.push_back(std::move(card));
  }
  return shown_->cards.empty() ? fail(Status::kFailed, "it has no output that is on") : Result<void>();
}

void IdentifyOverlay::check_shown(Instant now, DriverOutputs& out) {
  if (state_ == State::kShown) {
    if (now >= until_) end();
    return;
  }
  std::string missing;
  bool awaited = state_ != State::kShowing;
  for (const auto& card : shown_->cards) {
    if (card->is_shown()) continue;
    missing += (missing.empty() ? "" : ", ") + card->output();
    awaited |= !card->is_closed();
  }
  if (awaited && now < until_) return;
  if (state_ != State::kShowing) {
    finish(Status::kDeadline, fmt::format("{} did not answer in time; nothing is shown", compositor_), out);
    return end();
  }
  const bool all = missing.empty();
  finish(all ? Status::kDone : Status::kFailed,
         all ? "" : fmt::format("{} does not show it on {}", compositor_, missing), out);
  state_ = State::kShown;
  until_ = now + request_.duration();
}

void IdentifyOverlay::on_gone(DriverOutputs& out) {
  finish(Status::kGone, "the compositor ended under the command", out);
  end();
}

void IdentifyOverlay::finish(Status status, std::string error, DriverOutputs& out) {
  if (!command_id_) return;
  std::vector<std::string> outputs;
  if (shown_ != nullptr) {
    for (const auto& card : shown_->cards) {
      if (card->is_shown()) outputs.push_back(card->output());
    }
  }
  out.events.emplace_back(
      driver_event::CommandFinished{*command_id_, status, std::move(error), identify_result(request_, outputs)});
  command_id_.reset();
}

void IdentifyOverlay::end() {
  shown_.reset();
  connection_.reset();
  state_ = State::kIdle;
  until_ = kNever;
}

}  // namespace compositord::agent
