#pragma once
// The resource ids that an X server lets one client give to its windows and pictures. XCB's own xcb_generate_id() never gives one
// twice, and when it has given all it asks the server for more and waits for the answer.

#include <xcb/xcb.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

namespace compositord::agent::x11 {

class XIds {
 public:
  // An id that was given back rests until so many others were, as long as there are fresh ones: an event of the window that had
  // it may still be on its way.
  static constexpr std::size_t kRestingMax = 256;

  XIds() = default;  // none
  // As the server's setup tells them: an id is `base` with some of the bits of `mask`.
  XIds(std::uint32_t base, std::uint32_t mask) noexcept;

  // None when all are in use.
  std::optional<std::uint32_t> take();
  // Its resource was freed, or never made.
  void give_back(std::uint32_t id);

 private:
  std::uint32_t base_ = 0;
  std::uint32_t step_ = 0;   // the lowest bit of the mask
  std::uint32_t fresh_ = 0;  // how many were never taken
  std::uint32_t last_ = 0;   // the bits of the last that was
  std::deque<std::uint32_t> resting_;
};

// One of them, given back with this object, which must not outlive them. Its resource is freed before.
class XId {
 public:
  XId(XIds& ids, std::uint32_t id) noexcept : ids_(&ids), id_(id) {}
  XId(XId&& other) noexcept : ids_(std::exchange(other.ids_, nullptr)), id_(other.id_) {}
  XId& operator=(XId&& other) noexcept {
    std::swap(ids_, other.ids_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~XId() {
    if (ids_ != nullptr) ids_->give_back(id_);
  }
  std::uint32_t get() const noexcept { return id_; }

 private:
  XIds* ids_;  // none: moved from
  std::uint32_t id_;
};

}  // namespace compositord::agent::x11
