#include "tests/bench/raw_socket.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fmt/format.h>

#include "common/base/check.h"
#include "tests/bench/fatal.h"

namespace compositord::bench {

namespace {

void must(bool done, std::string_view what) {
  if (!done) fatal(fmt::format("{}: {}", what, zmq_strerror(zmq_errno())));
}

void set(void* socket, int option, int value) {
  must(zmq_setsockopt(socket, option, &value, sizeof(value)) == 0, "zmq_setsockopt");
}

}  // namespace

RawContext::RawContext() : handle_(zmq_ctx_new()) {
  rlimit files{};
  CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
  const int sockets_max = static_cast<int>(std::min<rlim_t>(files.rlim_max, 65'535));  // libzmq's ceiling
  must(zmq_ctx_set(handle_, ZMQ_MAX_SOCKETS, sockets_max) == 0, "ZMQ_MAX_SOCKETS");
}

RawContext::~RawContext() { zmq_ctx_term(handle_); }

RawMessage::RawMessage() {
  for (zmq_msg_t& frame : frames_) zmq_msg_init(&frame);
}

RawMessage::~RawMessage() {
  for (zmq_msg_t& frame : frames_) zmq_msg_close(&frame);
}

std::string_view RawMessage::frame(std::size_t i) {
  CHECK(i < size_ && i < frames_.size());
  return {static_cast<const char*>(zmq_msg_data(&frames_[i])), zmq_msg_size(&frames_[i])};
}

RawSocket::RawSocket(RawContext& context, int type, std::chrono::milliseconds timeout)
    : handle_(zmq_socket(context.handle(), type)) {
  must(handle_ != nullptr, "zmq_socket");
  set(handle_, ZMQ_LINGER, 0);
  set(handle_, ZMQ_SNDTIMEO, static_cast<int>(timeout.count()));
  set(handle_, ZMQ_RCVTIMEO, static_cast<int>(timeout.count()));
}

RawSocket::~RawSocket() { zmq_close(handle_); }

std::string RawSocket::bind(const std::string& endpoint) {
  must(zmq_bind(handle_, endpoint.c_str()) == 0, endpoint);
  std::array<char, 256> bound{};
  std::size_t size = bound.size();
  must(zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, bound.data(), &size) == 0, endpoint);
  return bound.data();
}

void RawSocket::connect(const std::string& endpoint) { must(zmq_connect(handle_, endpoint.c_str()) == 0, endpoint); }

void RawSocket::send(std::initializer_list<std::string_view> frames) {
  std::size_t left = frames.size();
  for (const std::string_view frame : frames) send_bytes(frame, --left > 0);
}

void RawSocket::send_frame(RawMessage& message, std::size_t i, bool more) {
  must(zmq_msg_send(&message.frames_.at(i), handle_, more ? ZMQ_SNDMORE : 0) >= 0, "zmq_msg_send");
}

void RawSocket::send_bytes(std::string_view bytes, bool more) {
  must(zmq_send(handle_, bytes.data(), bytes.size(), more ? ZMQ_SNDMORE : 0) >= 0, "zmq_send");
}

bool RawSocket::receive(RawMessage& message, Wait wait) {
  message.size_ = 0;
  bool more = true;
  while (more) {
    zmq_msg_t& frame = message.frames_[std::min(message.size_, message.frames_.size() - 1)];
    if (zmq_msg_recv(&frame, handle_, wait == Wait::kNow ? ZMQ_DONTWAIT : 0) < 0) {
      must(zmq_errno() == EAGAIN, "zmq_msg_recv");
      return false;
    }
    ++message.size_;
    more = zmq_msg_more(&frame) != 0;
  }
  return true;
}

std::string call(RawSocket& dealer, std::string_view service, std::string_view method, std::string_view params) {
  const std::string body = fmt::format(R"({{"v":1,"id":1,"method":"{}","params":{}}})", method, params);
  dealer.send({"MDPC02", "\x01", service, body});
  RawMessage answer;
  while (dealer.receive(answer)) {
    // A worker's socket may be sent a HEARTBEAT meanwhile.
    if (answer.size() == 4 && answer.frame(0) == "MDPC02") return std::string(answer.frame(3));
  }
  fatal(fmt::format("no answer to {} {}", service, method));
}

long long integer_in(std::string_view json, std::string_view name) {
  const std::string key = fmt::format("\"{}\":", name);
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return -1;
  const std::string_view digits = json.substr(at + key.size());
  long long value = -1;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace compositord::bench
