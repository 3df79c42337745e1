#include "tests/sim/sim_compositor.h"

#include <utility>

namespace compositord::sim {

SimCompositor::SimCompositor(EventQueue& events, std::string display)
    : events_(events),
      display_(std::move(display)),
      outputs_{{"DP-1", msg::OutputState::kOn}, {"DP-2", msg::OutputState::kOn}} {}

msg::Manifest SimCompositor::manifest() const {
  msg::Manifest manifest;
  manifest.name = "sway";
  manifest.version = "1.7";
  manifest.display = display_;
  manifest.pid = pid_;
  manifest.commands = {{"output.scale", true, {}}, {"output.mode", false, "its outputs have one mode"}};
  return manifest;
}

void SimCompositor::when_it_answers(Duration delay, std::function<void()> what) {
  events_.after(delay, [this, pid = pid_, what = std::move(what)] {
    if (!running_ || pid != pid_) return;
    frozen_ ? owed_.push_back(what) : what();
  });
}

void SimCompositor::start() {
  if (running_) return;
  running_ = true;
  ++pid_;
  well_since_ = events_.now();
  if (watcher_.started) watcher_.started();
}

void SimCompositor::end(agent::ProcessEnd end) {
  if (!running_) return;
  running_ = frozen_ = false;
  well_since_ = kNever;
  owed_.clear();
  if (watcher_.ended) watcher_.ended(end);
}

void SimCompositor::kill() { end(agent::ProcessEnd{{}, 9}); }

void SimCompositor::exit(int code) { end(agent::ProcessEnd{code, {}}); }

void SimCompositor::freeze(bool stopped) {
  if (!running_) return;
  frozen_ = true;
  stopped_ = stopped;
  well_since_ = kNever;
}

void SimCompositor::thaw() {
  if (!frozen_) return;
  frozen_ = false;
  well_since_ = events_.now();
  for (const auto& what : std::exchange(owed_, {})) what();
}

void SimCompositor::set_output(std::size_t index, msg::OutputState state) {
  outputs_[index].second = state;
  if (running_ && watcher_.outputs_changed) watcher_.outputs_changed();
}

}  // namespace compositord::sim
