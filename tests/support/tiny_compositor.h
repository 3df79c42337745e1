#pragma once
// A Wayland compositor in this process that has outputs, and wlr-screencopy if it is wanted, and nothing on them: for what real compositors
// can't be brought to do. Made with libwayland-server, so its protocol is right wherever a test doesn't want it wrong. It does something only
// within turn().

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct wl_display;
struct wl_resource;

namespace compositord::test {

struct TinyOutput {
  std::string name;
  std::int32_t width_px = 0;
  std::int32_t height_px = 0;
  std::uint32_t colour = 0;  // of all its pixels
};

// What it does when somebody wants the picture of an output.
enum class TinyAnswer : std::uint8_t {
  kPicture,
  kBottomUpPicture,  // the first row in the buffer is another one than the rest: 0x00ffffff
  kFails,
  kUnknownFormat,
  kNoSharedMemory,    // buffer_done without a buffer
  kTooLarge,          // 16384 x 16384
  kTooLargeTogether,  // 8000 x 5000 each, which are never drawn
  kNonsense,          // rows that are shorter than the picture is wide
  kReadyTooEarly,     // before it was given a buffer
  kOutputVanishes,    // and nothing else happens
  kNothing,
  kClosesConnection
};

class TinyCompositor {
 public:
  // Listens at `path`. `screencopy_version` 1 … 3, or 0 for none.
  TinyCompositor(const std::string& path, std::vector<TinyOutput> outputs, TinyAnswer answer,
                 std::uint32_t screencopy_version = 3);
  ~TinyCompositor();
  TinyCompositor(const TinyCompositor&) = delete;
  TinyCompositor& operator=(const TinyCompositor&) = delete;

  // For more globals, before anybody connects.
  wl_display* display() const noexcept;
  // What is behind a resource of a wl_output.
  static const TinyOutput& output_of(wl_resource* output);
  // The first output goes.
  void unplug();
  // Does what clients have asked for since the last time.
  void turn();

 private:
  friend struct TinyRequests;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace compositord::test
