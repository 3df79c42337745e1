#pragma once
// libzmq as it is. The benchmarks use neither our sockets nor our codec: what they would hide or cost must show.

#include <zmq.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace compositord::bench {

class RawContext {
 public:
  RawContext();  // with as many sockets as this process may have descriptors: RLIMIT_NOFILE is raised to its hard maximum
  ~RawContext();
  RawContext(const RawContext&) = delete;
  RawContext& operator=(const RawContext&) = delete;
  void* handle() const noexcept { return handle_; }

 private:
  void* handle_;
};

// One message as it was received; used again and again.
class RawMessage {
 public:
  RawMessage();
  ~RawMessage();
  RawMessage(const RawMessage&) = delete;
  RawMessage& operator=(const RawMessage&) = delete;
  // How many frames it had. Only the first ones can be looked at, and no message here should have more.
  std::size_t size() const noexcept { return size_; }
  std::string_view frame(std::size_t i);

 private:
  friend class RawSocket;
  std::array<zmq_msg_t, 8> frames_{};
  std::size_t size_ = 0;
};

class RawSocket {
 public:
  // What it does in vain for longer than `timeout` fails; a benchmark without end helps nobody.
  RawSocket(RawContext& context, int type, std::chrono::milliseconds timeout = std::chrono::seconds(5));
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  std::string bind(const std::string& endpoint);  // the endpoint as it became
  void connect(const std::string& endpoint);
  void send(std::initializer_list<std::string_view> frames);
  // One frame of a message; `frame` is empty afterwards. The bytes are not copied.
  void send_frame(RawMessage& message, std::size_t i, bool more);
  void send_bytes(std::string_view bytes, bool more);
  // False when nothing came in time, or with kNow when nothing waits.
  enum class Wait { kUntilTimeout, kNow };
  [[nodiscard]] bool receive(RawMessage& message, Wait wait = Wait::kUntilTimeout);
  void* handle() const noexcept { return handle_; }

 private:
  void* handle_;
};

// A JSON call to one of the bus's own services on `dealer`, and the body of its answer. Ends this program when none comes.
std::string call(RawSocket& dealer, std::string_view service, std::string_view method, std::string_view params);
// The integer behind `"name":` in a JSON text; -1 when it is not there.
long long integer_in(std::string_view json, std::string_view name);

}  // namespace compositord::bench
