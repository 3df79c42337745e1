#include "agent/kde/kwin_screenshot.h"

#include <fcntl.h>
#include <sdbus-c++/sdbus-c++.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "agent/process/file_descriptor.h"
#include "common/base/log_event.h"

namespace compositord::agent::kde {

namespace {

constexpr const char* kInterface = "org.kde.KWin.ScreenShot2";
constexpr const char* kPath = "/org/kde/KWin/ScreenShot2";
constexpr const char* kCompositor = "kwin_wayland";
// A megabyte, which any user may set: fewer turns of both loops.
constexpr int kPipeBytes = 1 << 20;
// What one service() reads at most, so that a picture does not hold the loop.
constexpr std::size_t kBytesPerServiceMax = 4U << 20U;

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
    return fail(Status::kFailed, fmt::format("no pipe for a picture: {}", std::strerror(errno)));
  }
  Pipe pipe{FileDescriptor(fds[0]), FileDescriptor(fds[1])};
  static_cast<void>(::fcntl(pipe.read_end.get(), F_SETPIPE_SZ, kPipeBytes));
  // Ours alone is non-blocking: each end has its own flags, and KWin waits for room with poll(2) or not at all.
  static_cast<void>(::fcntl(pipe.write_end.get(), F_SETFL, O_WRONLY));
  return pipe;
}

dbus::SessionBus::Call capture_screen(const std::string& owner, const std::string& output, int write_end) {
  const auto write = [output, write_end](sdbus::MethodCall& call) {
    // Its own pixels, not those of its logical size.
    const std::map<std::string, sdbus::Variant> options{{"native-resolution", sdbus::Variant(true)}};
    call << output << options << sdbus::UnixFd(write_end);
  };
  return {owner, kPath, kInterface, "CaptureScreen", write};
}

// What the reply says of the picture that comes through the pipe.
struct Announcement {
  std::uint32_t width_px = 0;
  std::uint32_t height_px = 0;
  std::uint32_t stride_bytes = 0;
  std::uint32_t format = 0;
};

Result<Announcement> read_announcement(sdbus::Message& reply) {
  try {
    std::map<std::string, sdbus::Variant> fields;
    reply >> fields;
    const auto number = [&](const char* name) { return fields.at(name).get<std::uint32_t>(); };
    return Announcement{number("width"), number("height"), number("stride"), number("format")};
  } catch (const sdbus::Error& error) {
    return fail(Status::kFailed, fmt::format("its answer can't be read: {}", escape_for_log(error.getMessage())));
  } catch (const std::out_of_range&) {
    return fail(Status::kFailed, "its answer does not say how large the picture is");
  }
}

Result<Pixels> make_room(const Announcement& picture) {
  const std::uint64_t pixels = std::uint64_t{picture.width_px} * picture.height_px;
  if (pixels == 0 || picture.stride_bytes / 4 < picture.width_px) {
    return fail(Status::kFailed, fmt::format("it announced a picture of {}x{} px with {} bytes a row", picture.width_px,
                                             picture.height_px, picture.stride_bytes));
  }
  if (auto few = check_pixels(static_cast<double>(picture.stride_bytes) / 4 * picture.height_px); !few) {
    return tl::unexpected(few.error());
  }
  const auto layout = pixel_layout(picture.format);
  if (!layout) return tl::unexpected(layout.error());
  return PixelMemory::create(std::size_t{picture.stride_bytes} * picture.height_px).map([&](PixelMemory&& memory) {
    return Pixels{std::move(memory), picture.width_px, picture.height_px, picture.stride_bytes, *layout, false};
  });
}

class KwinCapture final : public Capture {
 public:
  KwinCapture(dbus::SessionBus& bus, std::string owner, std::vector<ShotTarget> targets)
      : bus_(bus), owner_(std::move(owner)), targets_(std::move(targets)) {}

  void poll_fds(std::vector<pollfd>& fds) const override {
    if (pixels_) fds.push_back(pollfd{pipe_.get(), POLLIN, 0});
  }
  // An answer is taken in the next service(), the bus's own comes after ours.
  Instant next_deadline() const noexcept override { return answer_ && answer_->has_value() ? Instant() : kNever; }
  std::optional<Result<Shot>> service(Instant now) override;

 private:
  // Outlives the capture, for an answer that comes later.
  using Answer = std::optional<Result<Announcement>>;

  Result<void> ask(Instant now);
  Result<void> advance(Instant now);
  Result<void> read();

  dbus::SessionBus& bus_;
  std::string owner_;
  std::vector<ShotTarget> targets_;
  Shot shot_;
  std::shared_ptr<Answer> answer_;  // none before it was asked
  FileDescriptor pipe_;
  std::optional<Pixels> pixels_;  // since it was announced
  std::size_t filled_bytes_ = 0;
};

std::optional<Result<Shot>> KwinCapture::service(Instant now) {
  // Each turn takes one output, or waits.
  while (shot_.pictures.size() < targets_.size()) {
    const std::size_t taken = shot_.pictures.size();
    if (auto advanced = advance(now); !advanced) {
      const std::string& output = targets_[taken].output;
      // It may draw with OpenGL again by the next time.
      const Status status = advanced.error().status == Status::kUnsupported ? Status::kFailed : advanced.error().status;
      return fail(status, fmt::format("{}, {}: {}", kCompositor, output, advanced.error().text));
    }
    if (shot_.pictures.size() == taken) return std::nullopt;
  }
  return std::move(shot_);
}

Result<void> KwinCapture::advance(Instant now) {
  if (!answer_) return ask(now);
  if (auto answer = std::exchange(*answer_, std::nullopt)) {
    if (!*answer) return tl::unexpected(answer->error());
    auto room = make_room(**answer);
    if (!room) return tl::unexpected(room.error());
    pixels_.emplace(std::move(*room));
  }
  return pixels_ ? read() : Result<void>{};
}

Result<void> KwinCapture::ask(Instant now) {
  auto pipe = make_pipe();
  if (!pipe) return tl::unexpected(pipe.error());
  auto answer = std::make_shared<Answer>();
  const auto take = [answer](Result<sdbus::Message*> reply) {
    *answer = reply ? read_announcement(**reply) : tl::unexpected(reply.error());
  };
  const auto& output = targets_[shot_.pictures.size()].output;
  // The message has a copy of the write end, and ours ends here: when KWin closes its own, the pipe does.
  auto asked =
      bus_.call(capture_screen(owner_, output, pipe->write_end.get()), now + KwinScreenshot::kAnswerTime, take);
  if (!asked) return asked;
  answer_ = std::move(answer);
  pipe_ = std::move(pipe->read_end);
  filled_bytes_ = 0;
  return {};
}

Result<void> KwinCapture::read() {
  PixelMemory& memory = pixels_->memory;
  const std::size_t stop = std::min(memory.size(), filled_bytes_ + kBytesPerServiceMax);
  while (filled_bytes_ < stop) {
    const ssize_t n = ::read(pipe_.get(), memory.data() + filled_bytes_, stop - filled_bytes_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return {};
    if (n <= 0) {
      return fail(Status::kFailed, fmt::format("the picture ended after {} of {} bytes", filled_bytes_, memory.size()));
    }
    filled_bytes_ += static_cast<std::size_t>(n);
  }
  if (filled_bytes_ < memory.size()) return {};
  const ShotTarget& target = targets_[shot_.pictures.size()];
  shot_.outputs.push_back(target.output);
  shot_.pictures.push_back(Picture{std::move(*pixels_), msg::Transform::k0, target.place});
  pixels_.reset();
  answer_.reset();
  pipe_ = FileDescriptor();
  return {};
}

std::string own_program() {
  std::string path(4096, '\0');
  const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
  path.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return path.empty() ? "the agent's program" : path;
}

}  // namespace

Result<PixelLayout> pixel_layout(std::uint32_t qimage_format) {
  switch (qimage_format) {
    case 4:  // RGB32
    case 5:  // ARGB32
    case 6:  // ARGB32_Premultiplied
      return PixelLayout{16, 8, 0, 8};
    case 16:  // RGBX8888: bytes in this order
    case 17:  // RGBA8888
    case 18:  // RGBA8888_Premultiplied
      return PixelLayout{0, 8, 16, 8};
    case 19:  // BGR30
    case 20:  // A2BGR30_Premultiplied
      return PixelLayout{0, 10, 20, 10};
    case 21:  // RGB30
    case 22:  // A2RGB30_Premultiplied
      return PixelLayout{20, 10, 0, 10};
    default: return fail(Status::kFailed, fmt::format("its pixels have QImage's format {}", qimage_format));
  }
}

KwinScreenshot::KwinScreenshot(dbus::SessionBus& bus, const dbus::NameOwner& owner)
    : bus_(bus), owner_(owner), program_(own_program()) {}

void KwinScreenshot::service(Instant now) {
  now_ = now;
  if (owner_.changes() != owner_changes_) {
    owner_changes_ = owner_.changes();
    ask_after_ = kAskAgainFirst;
    ask_at_ = owner_.unique_name().empty() ? kNever : now;
    settle("has not said yet whether it lets us take screenshots");
  }
  if (now >= ask_at_) ask(now);
}

// An output without a name has no picture, and asking for it tells all that is to be known: KWin looks first at who asks.
void KwinScreenshot::ask(Instant now) {
  ask_at_ = now + std::exchange(ask_after_, std::min(ask_after_ * 2, kAskAgainMax));
  auto pipe = make_pipe();
  if (!pipe) return settle(pipe.error().text);
  const auto take = [this, changes = owner_changes_](Result<sdbus::Message*> reply) {
    if (changes != owner_changes_) return;
    const Status status = reply ? Status::kDone : reply.error().status;
    if (status == Status::kForbidden) {
      return settle(
          fmt::format("lets only programs take screenshots that a .desktop file names: install one with "
                      "Exec={} and X-KDE-DBUS-Restricted-Interfaces={}",
                      program_, kInterface));
    }
    if (status == Status::kUnsupported) {
      return settle(fmt::format("offers no {}; it does when it draws with OpenGL", kInterface));
    }
    if (status == Status::kDeadline || status == Status::kNotConnected) return;  // it is as it was
    ask_at_ = kNever;
    settle({});
  };
  const auto asked =
      bus_.call(capture_screen(owner_.unique_name(), "", pipe->write_end.get()), now + kAnswerTime, take);
  if (!asked) settle(asked.error().text);
}

void KwinScreenshot::settle(std::string obstacle) {
  changed_ |= obstacle != obstacle_;
  obstacle_ = std::move(obstacle);
}

Result<std::unique_ptr<Capture>> KwinScreenshot::begin(const ScreenshotRequest& request,
                                                       const std::vector<KnownOutput>& outputs) {
  auto targets = choose_targets(request, outputs, kCompositor);
  if (!targets) return tl::unexpected(targets.error());
  // Whether it still may is found out anew with each picture.
  ask_after_ = kAskAgainFirst;
  ask_at_ = now_ + kAskAgainFirst;
  return std::make_unique<KwinCapture>(bus_, owner_.unique_name(), std::move(*targets));
}

}  // namespace compositord::agent::kde
