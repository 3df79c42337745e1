#pragma once
// What a protocol that configures outputs gives, whichever it is: its picture of the outputs (heads), and configurations that are
// applied as a whole or not at all. Implemented for wlr's protocol, for KDE's, and
// for Mutter's D-Bus service.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/output/output_command.h"

namespace compositord::agent {

// What is to become of one head. What isn't set stays as it is.
struct HeadChange {
  std::string name;
  bool enabled = true;
  std::optional<msg::Mode> mode;
  std::optional<std::pair<std::int32_t, std::int32_t>> position;
  std::optional<msg::Transform> transform;
  std::optional<double> scale;
  friend bool operator==(const HeadChange&, const HeadChange&) = default;
};

enum class Purpose : std::uint8_t { kTest, kApply };
enum class Outcome : std::uint8_t { kSucceeded, kFailed, kCancelled };

class OutputManager {
 public:
  static constexpr std::size_t kHeadsMax = 64;
  // At this size a list of modes is hostile, not long. The same bound as wl_output's, OutputObject::kModesMax.
  static constexpr std::size_t kModesMax = 256;

  OutputManager() = default;
  virtual ~OutputManager() = default;
  OutputManager(const OutputManager&) = delete;
  OutputManager& operator=(const OutputManager&) = delete;

  // A global vanished; false when the manager can do nothing without it.
  virtual bool lose_global(std::uint32_t name) = 0;
  // Empty when a configuration can be sent, else why not, as the end of the sentence "the compositor …".
  virtual std::string obstacle() const = 0;
  // The heads of the last complete batch. A head that takes any mode has no list of modes, as the manifest has it.
  virtual const std::vector<KnownOutput>& heads() const noexcept = 0;
  // Of the last complete batch: a configuration that was made for another one is cancelled.
  virtual std::uint32_t serial() const noexcept = 0;
  // Whether a batch was completed since the last call.
  virtual bool take_changed() noexcept = 0;

  // Where it is this that switches outputs' power: empty when it can, else why not, as above. None where it has no word on power.
  virtual std::optional<std::string> power_obstacle() const { return std::nullopt; }
  // Asks for it; the heads' `powered` tells whether it was done.
  virtual void set_power(bool on) { static_cast<void>(on); }

  virtual bool can_test() const noexcept = 0;
  // Sends all changes as one configuration; heads that are not named stay as they are. One at a time: the outcome of an
  // earlier one is forgotten. Nothing is sent while there is an obstacle.
  virtual void send(const std::vector<HeadChange>& changes, Purpose purpose) = 0;
  virtual std::optional<Outcome> take_outcome() noexcept = 0;
  // Why the last configuration failed, in the compositor's own words, where its protocol has any.
  virtual std::string complaint() const { return {}; }
  // Nobody waits for the outcome any more.
  virtual void forget_configuration() noexcept = 0;
};

}  // namespace compositord::agent
