#pragma once
// wlr-output-management: mirrors the heads of a compositor with their modes, and sends it configurations.
// Source: wlr-output-management-unstable-v1.xml, version 2.
//
// A head is an output, also one that is switched off. `done` ends a batch of news and carries the serial that the next
// configuration must name; one with an older serial is cancelled. A configuration names every head and is applied as a
// whole or not at all.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/output/output_command.h"

struct wl_registry;
struct zwlr_output_configuration_head_v1;
struct zwlr_output_configuration_v1;
struct zwlr_output_head_v1;
struct zwlr_output_manager_v1;
struct zwlr_output_mode_v1;

namespace compositord::agent::wlr {

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

  OutputManager(wl_registry* registry, std::uint32_t global_name, std::uint32_t version);
  OutputManager(const OutputManager&) = delete;
  OutputManager& operator=(const OutputManager&) = delete;
  ~OutputManager();

  std::uint32_t global_name() const noexcept { return global_name_; }
  // Empty when a configuration can be sent, else why not, as the end of the sentence "the compositor …".
  std::string obstacle() const;
  std::uint32_t serial() const noexcept { return serial_; }
  // The heads of the last complete batch, in the order of announcement. A head whose only mode is the present one, and not
  // preferred, takes any mode: its list is empty, as the manifest has it.
  const std::vector<KnownOutput>& heads() const noexcept { return committed_; }
  // Whether a batch was completed since the last call.
  bool take_changed() noexcept { return std::exchange(changed_, false); }

  // Sends all changes as one configuration, with the heads that are not named as they are. One at a time: the outcome of
  // an earlier one is forgotten. Nothing is sent while there is an obstacle.
  void send(const std::vector<HeadChange>& changes, Purpose purpose);
  std::optional<Outcome> take_outcome() noexcept { return std::exchange(outcome_, std::nullopt); }
  // Nobody waits for the outcome any more.
  void forget_configuration() noexcept;

 private:
  friend struct ManagerEvents;
  struct Head;
  struct Mode {
    Head* head = nullptr;
    zwlr_output_mode_v1* proxy = nullptr;
    msg::Mode mode;
  };
  struct Head {
    OutputManager* owner = nullptr;
    zwlr_output_head_v1* proxy = nullptr;
    KnownOutput known;
    std::vector<std::unique_ptr<Mode>> modes;
    const Mode* current = nullptr;
  };

  static void destroy_proxies(Head& head) noexcept;
  static bool takes_any_mode(const Head& head) noexcept;
  static KnownOutput picture_of(const Head& head);
  void commit(std::uint32_t serial);
  void add_head(zwlr_output_head_v1* proxy);
  void add_mode(Head& head, zwlr_output_mode_v1* proxy);
  void enable(const Head& head, const HeadChange& change);

  zwlr_output_manager_v1* manager_ = nullptr;
  zwlr_output_configuration_v1* configuration_ = nullptr;
  std::uint32_t global_name_;
  std::uint32_t serial_ = 0;
  bool complete_ = false;  // the first batch has come
  bool finished_ = false;
  bool too_many_ = false;
  bool changed_ = false;
  std::optional<Outcome> outcome_;
  std::vector<std::unique_ptr<Head>> heads_;
  std::vector<KnownOutput> committed_;
};

}  // namespace compositord::agent::wlr
