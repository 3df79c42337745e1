#pragma once
// One libzmq context: its I/O thread and its limits. Must outlive every socket made from it.

namespace compositord::net {

class ZmqContext {
 public:
  // Raises RLIMIT_NOFILE to its hard maximum and allows as many sockets: libzmq aborts the process on EMFILE.
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;
  void* handle() const noexcept { return handle_; }

 private:
  void* handle_;
};

}  // namespace compositord::net
