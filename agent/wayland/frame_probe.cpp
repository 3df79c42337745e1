#include "agent/wayland/frame_probe.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/kde/dpms.h"
#include "agent/wayland/layer_shell.h"
#include "agent/wayland/side_connection.h"
#include "agent/wlr/output_power.h"

namespace compositord::agent {

namespace {

constexpr const char* kPower = "zwlr_output_power_manager_v1";
// Names of outputs come with xdg-output's objects, which are bound in the answer to the first round trip.
constexpr int kRoundTripsToNames = 2;

CardImage invisible_pixel() { return CardImage{1, 1, {0}}; }

}  // namespace

struct FrameProbe::Attempt {
  std::unique_ptr<SideConnection> connection;  // before what lives on it
  std::optional<wlr::OutputPower> power;
  std::optional<kde::Dpms> dpms;
  std::unique_ptr<LayerShell> shell;
  std::vector<std::unique_ptr<wlr::CardSurface>> pixels;

  // False where there is nothing that tells.
  bool watch_sleep() {
    const RegistryMirror& registry = connection->registry();
    const std::vector<wlr::BoundOutput> outputs = registry.bound_outputs();
    if (const auto* global = registry.find_global(kPower)) {
      power.emplace(registry.registry(), global->first);
      power->watch(outputs);
    } else if (const auto* kde = registry.find_global(kde::Dpms::kGlobal)) {
      dpms.emplace(registry.registry(), kde->first);
      for (const wlr::BoundOutput& output : outputs) {
        if (output.proxy != nullptr) dpms->watch(output.name, output.proxy);
      }
    }
    return power || dpms;
  }
  // None: nobody has said.
  bool is_awake(const std::string& output) const {
    return (power ? power->is_on(output) : dpms->is_on(output)).value_or(false);
  }
  Result<void> show() {
    auto bound = LayerShell::bind(connection->registry());
    if (!bound) return tl::unexpected(bound.error());
    shell = std::move(*bound);
    for (const wlr::BoundOutput& output : connection->registry().bound_outputs()) {
      if (output.proxy == nullptr || !is_awake(output.name)) continue;
      auto pixel = std::make_unique<wlr::CardSurface>(shell->globals(), output.proxy, output.name);
      if (auto asked = pixel->show(shell->globals(), invisible_pixel(), 1); !asked) return asked;
      pixels.push_back(std::move(pixel));
    }
    return {};
  }
  bool has_drawn() const {
    return std::any_of(pixels.begin(), pixels.end(), [](const auto& pixel) { return pixel->is_shown(); });
  }
  // The outputs that are awake and have drawn nothing.
  std::string missing() const {
    std::string names;
    for (const auto& pixel : pixels) {
      if (pixel->is_shown() || pixel->is_closed() || !is_awake(pixel->output())) continue;
      names += (names.empty() ? "" : ", ") + pixel->output();
    }
    return names;
  }
};

FrameProbe::FrameProbe(Duration interval)
    : interval_(interval), next_at_(interval == Duration{} ? kNever : Instant{}) {}

FrameProbe::~FrameProbe() = default;

void FrameProbe::poll_fds(std::vector<pollfd>& fds) const {
  if (attempt_ != nullptr) attempt_->connection->poll_fds(fds);
}

Instant FrameProbe::next_deadline() const noexcept { return state_ == State::kWaiting ? next_at_ : until_; }

void FrameProbe::service(const Target& target, Instant now, DriverOutputs& out) {
  if (state_ == State::kWaiting) {
    if (now >= next_at_) begin(target, now, out);
    return;
  }
  if (const auto went_on = attempt_->connection->pump(); !went_on) {
    return give_up(fmt::format("{}: {}", target.compositor, went_on.error().text), false, now, out);
  }
  if (state_ == State::kGreeting) {
    // A compositor that does not answer is the other probe's affair.
    if (now >= until_) return end(begun_at_ + interval_);
    return greet(target, now, out);
  }
  judge(target, now, out);
}

void FrameProbe::begin(const Target& target, Instant now, DriverOutputs& out) {
  begun_at_ = now;
  auto connection = SideConnection::open(target.socket_path, target.peer);
  if (!connection) return give_up(connection.error().text, false, now, out);
  attempt_ = std::make_unique<Attempt>();
  attempt_->connection = std::move(*connection);
  attempt_->connection->ask_round_trip();
  attempt_->connection->flush();
  state_ = State::kGreeting;
  until_ = now + kConfirmTime;
}

void FrameProbe::greet(const Target& target, Instant now, DriverOutputs& out) {
  SideConnection& connection = *attempt_->connection;
  if (connection.awaits_round_trip()) return;
  if (connection.round_trips() == kRoundTripsToNames && !attempt_->watch_sleep()) {
    return give_up(
        fmt::format("{} does not tell which monitors sleep ({}, {})", target.compositor, kPower, kde::Dpms::kGlobal),
        true, now, out);
  }
  if (connection.round_trips() > kRoundTripsToNames) {
    if (const auto shown = attempt_->show(); !shown) {
      const bool for_ever = shown.error().status == Status::kUnsupported;
      return give_up(fmt::format("{}: {}", target.compositor, shown.error().text), for_ever, now, out);
    }
    state_ = State::kShowing;
    until_ = now + kFrameTime;
  } else {
    connection.ask_round_trip();
  }
  connection.flush();
}

void FrameProbe::judge(const Target& target, Instant now, DriverOutputs& out) {
  SideConnection& connection = *attempt_->connection;
  const std::string missing = attempt_->missing();
  if (missing.empty()) {
    misses_ = 0;
    // Where every monitor sleeps nothing was seen, but no fault is left either.
    if (trouble_ || attempt_->has_drawn()) say({}, out);
    return end(begun_at_ + interval_);
  }
  if (state_ == State::kShowing && now >= until_) {
    connection.ask_round_trip();
    connection.flush();
    state_ = State::kConfirming;
    until_ = now + kConfirmTime;
  } else if (state_ == State::kConfirming && !connection.awaits_round_trip()) {
    missed(fmt::format("{} answers, but draws no frames on {}", target.compositor, missing), now, out);
  } else if (state_ == State::kConfirming && now >= until_) {
    end(begun_at_ + interval_);
  }
}

void FrameProbe::missed(std::string text, Instant now, DriverOutputs& out) {
  if (++misses_ < kMissesMin) return end(now);
  say(std::move(text), out);
  end(begun_at_ + interval_);
}

void FrameProbe::say(std::string trouble, DriverOutputs& out) {
  if (trouble == trouble_) return;
  trouble_ = std::move(trouble);
  out.events.emplace_back(driver_event::FramesSeen{*trouble_});
}

void FrameProbe::give_up(const std::string& why, bool for_ever, Instant now, DriverOutputs& out) {
  if (why != logged_) out.log.push_back(LogEvent(Severity::kWarning, "frames.not_probed").with("why", why));
  logged_ = why;
  end(for_ever ? kNever : std::max(now, begun_at_) + interval_);
}

void FrameProbe::end(Instant next) {
  attempt_.reset();
  state_ = State::kWaiting;
  until_ = kNever;
  next_at_ = next;
}

}  // namespace compositord::agent
