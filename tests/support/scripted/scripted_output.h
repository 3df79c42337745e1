#pragma once
// The outputs of a scripted compositor: plain state that its IPC shows and changes.

#include <cstdint>
#include <string>
#include <vector>

namespace compositord::test {

struct ScriptedMode {
  int width = 0;
  int height = 0;
  int refresh_mhz = 0;
  friend bool operator==(const ScriptedMode&, const ScriptedMode&) = default;
};

struct ScriptedOutput {
  std::string name;
  std::vector<ScriptedMode> modes;  // the first is the preferred one
  ScriptedMode mode;
  double scale = 1.0;
  int x = 0;
  int y = 0;
  int transform = 0;  // as wl_output numbers them
  bool active = true;
  bool powered = true;
  friend bool operator==(const ScriptedOutput&, const ScriptedOutput&) = default;
};

using ScriptedOutputs = std::vector<ScriptedOutput>;

// Two monitors, side by side.
ScriptedOutputs scripted_outputs();
// None when there is no such output.
ScriptedOutput* find_scripted(ScriptedOutputs& outputs, const std::string& name);

}  // namespace compositord::test
