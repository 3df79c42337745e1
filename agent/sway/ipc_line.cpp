#include "agent/sway/ipc_line.h"

#include <fmt/format.h>

#include "agent/sway/ipc_model.h"

namespace compositord::agent::sway {

std::string to_ipc_line(const OutputCommand& command) {
  const std::string head = fmt::format("output \"{}\" ", command.output);
  switch (command.method) {
    case OutputMethod::kMode:
      if (!command.refresh_mhz) return fmt::format("{}mode {}x{}", head, command.width_px, command.height_px);
      return fmt::format("{}mode {}x{}@{}.{:03}Hz", head, command.width_px, command.height_px,
                         *command.refresh_mhz / 1000, *command.refresh_mhz % 1000);
    case OutputMethod::kScale: return fmt::format("{}scale {:.5f}", head, command.scale);
    case OutputMethod::kPosition: return fmt::format("{}position {} {}", head, command.x, command.y);
    case OutputMethod::kEnable: return head + "enable";
    case OutputMethod::kDisable: return head + "disable";
    // Newer sway calls it "power" and knows the old word, too.
    case OutputMethod::kPower: return fmt::format("{}dpms {}", head, command.on ? "on" : "off");
    case OutputMethod::kTransform:
      return fmt::format("{}transform {}", head, msg::name_of(turn_around(command.transform)));
  }
  return {};
}

}  // namespace compositord::agent::sway
