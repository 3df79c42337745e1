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

#include "agent/output/output_manager.h"

struct wl_registry;
struct zwlr_output_configuration_head_v1;
struct zwlr_output_configuration_v1;
struct zwlr_output_head_v1;
struct zwlr_output_manager_v1;
struct zwlr_output_mode_v1;

namespace compositord::agent::wlr {

class OutputManager final : public agent::OutputManager {
 public:
  OutputManager(wl_registry* registry, std::uint32_t global_name, std::uint32_t version);
  ~OutputManager() override;

  bool lose_global(std::uint32_t name) override { return name != global_name_; }
  std::string obstacle() const override;
  // A head whose only mode is the present one, and not preferred, takes any mode.
  const std::vector<KnownOutput>& heads() const noexcept override { return committed_; }
  std::uint32_t serial() const noexcept override { return serial_; }
  bool take_changed() noexcept override { return std::exchange(changed_, false); }
  bool can_test() const noexcept override { return true; }
  // A configuration names every head: those without a change as they are.
  void send(const std::vector<HeadChange>& changes, Purpose purpose) override;
  std::optional<Outcome> take_outcome() noexcept override { return std::exchange(outcome_, std::nullopt); }
  void forget_configuration() noexcept override;

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
