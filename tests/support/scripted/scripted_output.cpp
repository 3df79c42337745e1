#include "tests/support/scripted/scripted_output.h"

#include <algorithm>

namespace compositord::test {

ScriptedOutputs scripted_outputs() {
  const std::vector<ScriptedMode> modes{{1920, 1080, 60000}, {1920, 1080, 59951}, {1280, 720, 60000}};
  ScriptedOutput left{"DP-1", modes, modes.front()};
  ScriptedOutput right{"HDMI-A-1", modes, modes.front()};
  right.x = 1920;
  return {left, right};
}

ScriptedOutput* find_scripted(ScriptedOutputs& outputs, const std::string& name) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.name == name; });
  return found == outputs.end() ? nullptr : &*found;
}

}  // namespace compositord::test
