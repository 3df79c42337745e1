#pragma once
// One libzmq context: its I/O thread and its limits. Must outlive every socket made from it.

#include <atomic>
#include <cstdint>

namespace compositord::net {

class ZmqContext {
 public:
  // Raises RLIMIT_NOFILE to its hard maximum and allows as many sockets: libzmq aborts the process on EMFILE.
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* handle() const noexcept { return handle_; }
  // 1, 2, … for names that must be unique within the context. Any thread.
  std::uint64_t next_number() noexcept { return ++last_number_; }

 private:
  void* handle_;
  std::atomic<std::uint64_t> last_number_{0};
};

}  // namespace compositord::net
