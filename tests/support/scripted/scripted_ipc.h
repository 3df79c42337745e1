#pragma once
// The IPC of a compositor that can't run here, as its documentation describes it: requests in, answers out, state changed.

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/scripted/scripted_output.h"

namespace compositord::test {

class ScriptedIpc {
 public:
  struct Answer {
    std::string text;
    bool of_change = false;      // it was asked to change an output
    bool of_outputs = false;     // it was asked for its outputs
    bool begins_events = false;  // the connection stays open, and gets events
    bool of_reload = false;      // it was asked to read its configuration again
    std::string if_bad{};        // the answer instead, when that is bad
  };
  ScriptedIpc() = default;
  virtual ~ScriptedIpc() = default;
  ScriptedIpc(const ScriptedIpc&) = delete;
  ScriptedIpc& operator=(const ScriptedIpc&) = delete;

  // Whether the bytes that came are a whole request.
  virtual bool is_request(std::string_view bytes) const = 0;
  // Carries it out on `outputs`.
  virtual Answer answer(std::string_view request, ScriptedOutputs& outputs) const = 0;
  // The same for a change that it does not like.
  virtual std::string refusal() const = 0;
  // What it tells unasked when outputs came or went.
  virtual std::string hotplug_event(const std::string& output, bool came) const = 0;
  // … and when it has read its configuration again, or could not.
  virtual std::string reload_event(bool failed) const = 0;
  // Whether the events have a socket of their own, to which they come unasked.
  virtual bool has_event_socket() const = 0;
};

std::unique_ptr<ScriptedIpc> scripted_hyprland();
std::unique_ptr<ScriptedIpc> scripted_niri();

}  // namespace compositord::test
