#include "agent/pipewire/frame_grabber.h"

#include <fcntl.h>
#include <pipewire/pipewire.h>
#include <pthread.h>
#include <signal.h>
#include <spa/param/buffers.h>
#include <spa/param/video/format-utils.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "agent/capture/shot_target.h"
#include "common/base/log_event.h"

namespace compositord::agent::pipewire {

struct FrameGrabber::Shared {
  FileDescriptor done{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  FileDescriptor stop{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::optional<Result<Pixels>> result;
};

namespace {

void raise(const FileDescriptor& eventfd) {
  const std::uint64_t one = 1;
  static_cast<void>(::write(eventfd.get(), &one, sizeof one));
}

std::optional<PixelLayout> layout_of(spa_video_format format) {
  switch (format) {
    case SPA_VIDEO_FORMAT_BGRx:
    case SPA_VIDEO_FORMAT_BGRA: return PixelLayout{16, 8, 0, 8};
    case SPA_VIDEO_FORMAT_RGBx:
    case SPA_VIDEO_FORMAT_RGBA: return PixelLayout{0, 8, 16, 8};
    default: return std::nullopt;
  }
}

// A producer that cut its memory off while we read it would end us with SIGBUS.
bool may_shrink(const spa_data& data) {
  if (data.type == SPA_DATA_MemPtr) return false;
  const int seals = ::fcntl(static_cast<int>(data.fd), F_GET_SEALS);
  return data.type != SPA_DATA_MemFd || seals < 0 || (seals & F_SEAL_SHRINK) == 0;
}

Result<Pixels> copy_frame(const spa_data& data, const spa_video_info_raw& format) {
  const std::uint32_t width = format.size.width;
  const std::uint32_t height = format.size.height;
  const auto layout = layout_of(format.format);
  if (!layout || width == 0 || height == 0 || data.chunk->stride <= 0) {
    return fail(Status::kFailed, "it gave a frame that it had not described");
  }
  const auto stride = static_cast<std::uint32_t>(data.chunk->stride);
  if (auto few = check_pixels(static_cast<double>(stride) / 4 * height); !few) return tl::unexpected(few.error());
  const std::uint64_t bytes = std::uint64_t{stride} * height;
  const std::uint64_t offset = data.chunk->offset;
  if (stride / 4 < width || offset > data.maxsize || bytes > data.maxsize - offset || may_shrink(data)) {
    return fail(Status::kFailed, "it gave a frame that does not fit into its memory");
  }
  return PixelMemory::create(bytes).map([&](PixelMemory&& memory) {
    std::memcpy(memory.data(), static_cast<const unsigned char*>(data.data) + offset, bytes);
    return Pixels{std::move(memory), width, height, stride, *layout, false};
  });
}

// What lives on the thread: libpipewire's objects, and the callbacks that it makes there.
class Grab {
 public:
  Grab() : loop_(pw_main_loop_new(nullptr)) {}
  Grab(const Grab&) = delete;
  Grab& operator=(const Grab&) = delete;
  ~Grab() {
    if (stream_ != nullptr) pw_stream_destroy(stream_);
    if (core_ != nullptr) pw_core_disconnect(core_);
    if (context_ != nullptr) pw_context_destroy(context_);
    if (loop_ != nullptr) pw_main_loop_destroy(loop_);
  }

  Result<Pixels> run(FileDescriptor remote, std::uint32_t node, int stop_fd);

 private:
  bool connect(FileDescriptor remote, std::uint32_t node);
  void watch(int stop_fd);
  void end(Result<Pixels> result) {
    if (!result_) result_.emplace(std::move(result));
    pw_main_loop_quit(loop_);
  }
  void on_format(const spa_pod& format);
  void on_frame();

  static void stopped(void* self, int, std::uint32_t) {
    static_cast<Grab*>(self)->end(fail(Status::kFailed, "nobody waits for it any more"));
  }
  static void timed_out(void* self, std::uint64_t) {
    static_cast<Grab*>(self)->end(fail(Status::kDeadline, "PipeWire brought no frame"));
  }
  static void core_failed(void* self, std::uint32_t id, int, int error, const char* message) {
    if (id != PW_ID_CORE) return;
    static_cast<Grab*>(self)->end(
        fail(Status::kFailed,
             fmt::format("PipeWire: {}", message != nullptr ? escape_for_log(message) : std::strerror(-error))));
  }
  static void state_changed(void* self, pw_stream_state, pw_stream_state state, const char* why) {
    if (state != PW_STREAM_STATE_ERROR) return;
    static_cast<Grab*>(self)->end(
        fail(Status::kFailed, fmt::format("PipeWire: {}", escape_for_log(why != nullptr ? why : "no stream"))));
  }
  static void param_changed(void* self, std::uint32_t id, const spa_pod* param) {
    if (id == SPA_PARAM_Format && param != nullptr) static_cast<Grab*>(self)->on_format(*param);
  }
  // When the loop has ended, PipeWire calls it on a thread of its own, until the stream is destroyed.
  static void process(void* self) {
    Grab& grab = *static_cast<Grab*>(self);
    if (std::this_thread::get_id() == grab.thread_) grab.on_frame();
  }

  const std::thread::id thread_ = std::this_thread::get_id();
  pw_main_loop* loop_;
  pw_context* context_ = nullptr;
  pw_core* core_ = nullptr;
  pw_stream* stream_ = nullptr;
  pw_core_events core_events_{};
  spa_hook core_hook_{};
  pw_stream_events stream_events_{};
  spa_hook stream_hook_{};
  spa_video_info_raw format_{};
  std::optional<Result<Pixels>> result_;
};

Result<Pixels> Grab::run(FileDescriptor remote, std::uint32_t node, int stop_fd) {
  if (loop_ == nullptr) return fail(Status::kFailed, "PipeWire has no loop for us");
  watch(stop_fd);
  if (!connect(std::move(remote), node)) return fail(Status::kFailed, "PipeWire can't be spoken to");
  if (!result_) pw_main_loop_run(loop_);
  if (!result_) return fail(Status::kFailed, "PipeWire ended");
  return std::move(*result_);
}

void Grab::watch(int stop_fd) {
  pw_loop* loop = pw_main_loop_get_loop(loop_);
  pw_loop_add_io(loop, stop_fd, SPA_IO_IN, false, stopped, this);
  spa_source* timer = pw_loop_add_timer(loop, timed_out, this);
  timespec at{std::chrono::duration_cast<std::chrono::seconds>(FrameGrabber::kTimeMax).count(), 0};
  pw_loop_update_timer(loop, timer, &at, nullptr, false);
}

bool Grab::connect(FileDescriptor remote, std::uint32_t node) {
  context_ = pw_context_new(pw_main_loop_get_loop(loop_), nullptr, 0);
  if (context_ == nullptr) return false;
  core_ = pw_context_connect_fd(context_, remote.release(), nullptr, 0);  // which closes it, also when it fails
  if (core_ == nullptr) return false;
  core_events_.version = PW_VERSION_CORE_EVENTS;
  core_events_.error = core_failed;
  // A core is a proxy of the server's; pw_core_add_listener() is a macro of C, with C's casts in it.
  pw_proxy_add_object_listener(reinterpret_cast<pw_proxy*>(core_), &core_hook_, &core_events_, this);
  stream_ = pw_stream_new(core_, "compositor-agent",
                          pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CATEGORY, "Capture",
                                            PW_KEY_MEDIA_ROLE, "Screen", nullptr));
  if (stream_ == nullptr) return false;
  stream_events_.version = PW_VERSION_STREAM_EVENTS;
  stream_events_.state_changed = state_changed;
  stream_events_.param_changed = param_changed;
  stream_events_.process = process;
  pw_stream_add_listener(stream_, &stream_hook_, &stream_events_, this);

  std::array<std::uint8_t, 1024> bytes{};
  spa_pod_builder builder{};
  spa_pod_builder_init(&builder, bytes.data(), bytes.size());
  const spa_rectangle any{1280, 720};
  const spa_rectangle least{1, 1};
  const spa_rectangle most{65535, 65535};
  const spa_fraction still{0, 1};
  const spa_fraction fastest{1000, 1};
  const void* format = spa_pod_builder_add_object(
      &builder, SPA_TYPE_OBJECT_Format, SPA_PARAM_EnumFormat, SPA_FORMAT_mediaType, SPA_POD_Id(SPA_MEDIA_TYPE_video),
      SPA_FORMAT_mediaSubtype, SPA_POD_Id(SPA_MEDIA_SUBTYPE_raw), SPA_FORMAT_VIDEO_format,
      SPA_POD_CHOICE_ENUM_Id(5, SPA_VIDEO_FORMAT_BGRx, SPA_VIDEO_FORMAT_BGRx, SPA_VIDEO_FORMAT_BGRA,
                             SPA_VIDEO_FORMAT_RGBx, SPA_VIDEO_FORMAT_RGBA),
      SPA_FORMAT_VIDEO_size, SPA_POD_CHOICE_RANGE_Rectangle(&any, &least, &most), SPA_FORMAT_VIDEO_framerate,
      SPA_POD_CHOICE_RANGE_Fraction(&still, &still, &fastest));
  const spa_pod* params = static_cast<const spa_pod*>(format);
  const auto flags = static_cast<pw_stream_flags>(PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS);
  return pw_stream_connect(stream_, PW_DIRECTION_INPUT, node, flags, &params, 1) >= 0;
}

// Plain memory only: what lies in a graphics card's can't be read like this.
void Grab::on_format(const spa_pod& format) {
  if (spa_format_video_raw_parse(&format, &format_) < 0) return;
  std::array<std::uint8_t, 256> bytes{};
  spa_pod_builder builder{};
  spa_pod_builder_init(&builder, bytes.data(), bytes.size());
  const void* buffers =
      spa_pod_builder_add_object(&builder, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers, SPA_PARAM_BUFFERS_dataType,
                                 SPA_POD_CHOICE_FLAGS_Int((1U << SPA_DATA_MemFd) | (1U << SPA_DATA_MemPtr)));
  const spa_pod* params = static_cast<const spa_pod*>(buffers);
  pw_stream_update_params(stream_, &params, 1);
}

void Grab::on_frame() {
  pw_buffer* buffer = pw_stream_dequeue_buffer(stream_);
  if (buffer == nullptr) return;
  const spa_buffer& frame = *buffer->buffer;
  const bool is_whole = frame.n_datas > 0 && frame.datas[0].data != nullptr && frame.datas[0].chunk->size > 0 &&
                        (static_cast<unsigned>(frame.datas[0].chunk->flags) & SPA_CHUNK_FLAG_CORRUPTED) == 0;
  // Without a picture it only tells where the pointer is.
  if (is_whole) end(copy_frame(frame.datas[0], format_));
  pw_stream_queue_buffer(stream_, buffer);
}

}  // namespace

Result<FrameGrabber> FrameGrabber::start(FileDescriptor remote, std::uint32_t node) {
  auto shared = std::make_shared<Shared>();
  if (!shared->done.is_open() || !shared->stop.is_open()) return fail(Status::kLimit, "no descriptor for a frame");
  auto connection = std::make_shared<FileDescriptor>(std::move(remote));
  const auto work = [shared, connection, node] {
    pw_init(nullptr, nullptr);
    pw_log_set_level(SPA_LOG_LEVEL_NONE);  // what matters of it is in the error
    auto result = Grab().run(std::move(*connection), node, shared->stop.get());
    const std::lock_guard lock(shared->mutex);
    shared->result.emplace(std::move(result));
    raise(shared->done);
  };
  // Signals are for the thread that runs the loop; a new one, and libpipewire's own, inherit what we block.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::optional<Error> trouble;
  try {
    std::thread(work).detach();
  } catch (const std::system_error& error) {
    trouble = Error{Status::kLimit, fmt::format("no thread for a frame: {}", error.what())};
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (trouble) return tl::unexpected(*trouble);
  return FrameGrabber(std::move(shared));
}

FrameGrabber::~FrameGrabber() {
  if (shared_ != nullptr) raise(shared_->stop);
}

void FrameGrabber::poll_fds(std::vector<pollfd>& fds) const { fds.push_back(pollfd{shared_->done.get(), POLLIN, 0}); }

std::optional<Result<Pixels>> FrameGrabber::take() {
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->result, std::nullopt);
}

}  // namespace compositord::agent::pipewire
