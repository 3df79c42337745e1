#pragma once
// What one compositor's own IPC says, and in which words: requests as text, replies into the bus's words. It has no state and no
// socket; IpcSession carries the text, IpcCommandRunner and IpcDriver decide what is said.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/output/output_command.h"
#include "common/base/result.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

enum class IpcQuestion : std::uint8_t { kVersion, kOutputs, kInputs, kCommand, kReload };

class IpcDialect {
 public:
  IpcDialect() = default;
  virtual ~IpcDialect() = default;
  IpcDialect(const IpcDialect&) = delete;
  IpcDialect& operator=(const IpcDialect&) = delete;

  virtual std::string_view compositor() const noexcept = 0;  // "Hyprland", for sentences and the manifest
  virtual std::string_view driver() const noexcept = 0;      // "hyprland", the manifest's "driver"

  // The text of a question; kCommand and kReload have none, see change() and IpcReload.
  virtual std::string request(IpcQuestion question) const = 0;
  // The text that asks for a change of the output that `before` shows. The name has been checked by the parser: it can end no
  // quotes and separate no commands.
  virtual std::string change(const OutputCommand& command, const KnownOutput& before) const = 0;

  // The text that asks for a new output; empty where there is no such request.
  virtual std::string create_output() const { return {}; }

  // Each takes the payload of a reply. Errors: kMalformed or kTooLarge, as decode_json() or with the field that is missing.
  virtual Result<std::string> parse_version(std::string_view payload) const = 0;
  virtual Result<std::vector<KnownOutput>> parse_outputs(std::string_view payload) const = 0;
  virtual Result<std::vector<msg::InputDevice>> parse_inputs(std::string_view payload) const = 0;
  // Empty when the reply to a change says success, else the compositor's own words.
  virtual Result<std::string> parse_refusal(std::string_view payload) const = 0;

  // Whether it tells its inputs at all; where it doesn't, Wayland's seats are all there is.
  virtual bool has_inputs() const noexcept { return true; }
  // Why commands of this kind can't go by the IPC, a sentence; empty when they can.
  virtual std::string obstacle(OutputMethod) const { return {}; }
  // Whether Wayland's protocols, where they are announced, change an output with less loss than the IPC does.
  virtual bool prefers_wayland() const noexcept { return false; }
  // Whether its modes are as exact as Wayland's.
  virtual bool has_exact_modes() const noexcept { return true; }

  // The output a command is for, errors as find_output(); and whether an output shows the wish. To be overridden where the IPC
  // rounds what it tells.
  virtual Result<KnownOutput> find(const OutputCommand& command, const std::vector<KnownOutput>& outputs) const;
  virtual bool shows_wish(const OutputCommand& command, const KnownOutput& output) const;
};

}  // namespace compositord::agent
