#include "common/net/zmq_socket.h"

#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"
#include "common/net/listener.h"

namespace compositord::net {

namespace {

// Frames from this size on are handed to libzmq without copying their bytes.
constexpr std::size_t kZeroCopyBytesMin = 1'024;

// Room for the messages that a broker routes: a request has 4 frames and its answer 5, when the body is one frame.
constexpr std::size_t kFramesUsual = 6;

std::string_view bytes_of(zmq_msg_t& message) {
  return {static_cast<const char*>(zmq_msg_data(&message)), zmq_msg_size(&message)};
}

void delete_frame(void*, void* hint) { delete static_cast<wire::Frame*>(hint); }

// Makes the message of one frame, taking its bytes.
void init_message(zmq_msg_t& message, wire::Frame&& frame) {
  if (frame.size() < kZeroCopyBytesMin) {
    CHECK(zmq_msg_init_size(&message, frame.size()) == 0);
    std::memcpy(zmq_msg_data(&message), frame.view().data(), frame.size());
    return;
  }
  auto* owned = new wire::Frame(std::move(frame));  // freed by libzmq through delete_frame
  // libzmq only reads what it is told to send.
  CHECK(zmq_msg_init_data(&message, const_cast<char*>(owned->view().data()), owned->size(), delete_frame, owned) == 0);
}

SendOutcome outcome_of_errno(int error) {
  if (error == EHOSTUNREACH) return SendOutcome::kUnreachable;
  if (error == EAGAIN) return SendOutcome::kFull;
  return SendOutcome::kFailed;
}

tl::unexpected<Error> endpoint_error(std::string_view verb, const std::string& endpoint, int error) {
  if (error == EADDRINUSE) {
    return fail(Status::kConflict, fmt::format("{} {}: another program already listens there", verb, endpoint));
  }
  if (error == EINVAL || error == EPROTONOSUPPORT) {
    return fail(Status::kMalformed,
                fmt::format("{} {}: not an endpoint (tcp://ADDRESS:PORT, ipc:///PATH)", verb, endpoint));
  }
  return fail(Status::kFailed, fmt::format("{} {}: {}", verb, endpoint, zmq_strerror(error)));
}

}  // namespace

ZmqSocket::ZmqSocket(ZmqContext& context, int type, const wire::MessageLimits& limits)
    : handle_(zmq_socket(context.handle(), type)), limits_(limits) {
  CHECK(handle_ != nullptr);
  const auto frame_max = static_cast<std::int64_t>(limits.bytes_per_frame_max);
  CHECK(zmq_setsockopt(handle_, ZMQ_MAXMSGSIZE, &frame_max, sizeof(frame_max)) == 0);
  // Long enough for a last DISCONNECT or reply to leave the host, short enough that nobody waits for an exit.
  set_option(ZMQ_LINGER, 200);
}

ZmqSocket::~ZmqSocket() {
  if (handle_ != nullptr) zmq_close(handle_);
}

ZmqSocket::ZmqSocket(ZmqSocket&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), limits_(other.limits_) {}

ZmqSocket& ZmqSocket::operator=(ZmqSocket&& other) noexcept {
  std::swap(handle_, other.handle_);
  std::swap(limits_, other.limits_);
  return *this;
}

void ZmqSocket::set_option(int option, int value) {
  CHECK(zmq_setsockopt(handle_, option, &value, sizeof(value)) == 0);
}

// By default libzmq knows no IPv6, and with it no endpoint is bound or looked for as before: only where an address says so.
void ZmqSocket::allow_ipv6(const std::string& endpoint) {
  if (endpoint.starts_with("tcp://[")) set_option(ZMQ_IPV6, 1);
}

Result<std::string> ZmqSocket::bind(const std::string& endpoint) {
  allow_ipv6(endpoint);
  constexpr std::string_view kIpc = "ipc://";
  // libzmq removes a socket file that is in its way, even a live one: look first whether somebody answers there.
  if (endpoint.starts_with(kIpc) && somebody_listens(endpoint.substr(kIpc.size()))) {
    return endpoint_error("bind", endpoint, EADDRINUSE);
  }
  if (zmq_bind(handle_, endpoint.c_str()) != 0) return endpoint_error("bind", endpoint, zmq_errno());
  std::array<char, 512> bound{};
  std::size_t size = bound.size();
  CHECK(zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, bound.data(), &size) == 0);
  return std::string(bound.data());
}

Result<void> ZmqSocket::connect(const std::string& endpoint) {
  allow_ipv6(endpoint);
  if (zmq_connect(handle_, endpoint.c_str()) != 0) return endpoint_error("connect to", endpoint, zmq_errno());
  return {};
}

Received ZmqSocket::receive() {
  Received received;
  received.frames.reserve(kFramesUsual);
  std::size_t bytes = 0;
  bool more = true;
  zmq_msg_t part;  // of all parts in turn: receiving lets go of the one before
  zmq_msg_init(&part);
  while (more) {
    if (zmq_msg_recv(&part, handle_, ZMQ_DONTWAIT) < 0) {
      zmq_msg_close(&part);
      return {};  // only ever before the first part: libzmq hands over whole messages
    }
    more = zmq_msg_more(&part) != 0;
    bytes += zmq_msg_size(&part);
    if (received.frames.size() >= limits_.frames_per_message_max || bytes > limits_.bytes_per_message_max) {
      received.outcome = ReceiveOutcome::kTooLarge;
      received.frames.clear();
    }
    if (received.outcome != ReceiveOutcome::kTooLarge) {
      received.frames.emplace_back(bytes_of(part));
      received.outcome = ReceiveOutcome::kMessage;
    }
  }
  zmq_msg_close(&part);
  return received;
}

int ZmqSocket::fd() const {
  int fd = -1;
  std::size_t size = sizeof(fd);
  CHECK(zmq_getsockopt(handle_, ZMQ_FD, &fd, &size) == 0);
  return fd;
}

SendOutcome ZmqSocket::send_frames(wire::Frames&& frames, std::size_t first) {
  for (std::size_t i = first; i < frames.size(); ++i) {
    zmq_msg_t message;
    init_message(message, std::move(frames[i]));
    const int flags = ZMQ_DONTWAIT | (i + 1 < frames.size() ? ZMQ_SNDMORE : 0);
    if (zmq_msg_send(&message, handle_, flags) < 0) {
      const int error = zmq_errno();
      zmq_msg_close(&message);
      return outcome_of_errno(error);
    }
  }
  return SendOutcome::kSent;
}

Dealer::Dealer(ZmqContext& context, const wire::MessageLimits& limits, Unconnected unconnected)
    : ZmqSocket(context, ZMQ_DEALER, limits) {
  set_option(ZMQ_IMMEDIATE, unconnected == Unconnected::kTakesNothing ? 1 : 0);
  set_option(ZMQ_RECONNECT_IVL, 100);
  set_option(ZMQ_RECONNECT_IVL_MAX, 1'000);
}

SendOutcome Dealer::send(wire::Frames&& frames) { return send_frames(std::move(frames)); }

XPub::XPub(ZmqContext& context, const wire::MessageLimits& limits) : ZmqSocket(context, ZMQ_XPUB, limits) {
  set_option(ZMQ_XPUB_VERBOSE, 1);  // every subscription is seen, also the second one to hello/
  set_option(ZMQ_XPUB_NODROP, 1);   // a full queue is told, see publish()
  set_option(ZMQ_BACKLOG, 4'096);
}

SendOutcome XPub::publish(wire::Frames&& frames) {
  if (frames.empty()) return SendOutcome::kSent;
  zmq_msg_t first;
  init_message(first, std::move(frames[0]));
  if (zmq_msg_send(&first, handle_, ZMQ_DONTWAIT | (frames.size() > 1 ? ZMQ_SNDMORE : 0)) < 0) {
    if (zmq_errno() == EAGAIN) return publish_to_the_rest(first, std::move(frames));
    zmq_msg_close(&first);
    return SendOutcome::kFailed;
  }
  // Queues count whole messages: one that had room for the first frame has it for all.
  return send_frames(std::move(frames), 1);
}

// With ZMQ_XPUB_NODROP nobody was given anything, and the frame is still ours. (libzmq 4.3.4, xpub_t::xsend: check_hwm() of all
// that match comes before distribution.)
SendOutcome XPub::publish_to_the_rest(zmq_msg_t& first, wire::Frames&& frames) {
  set_option(ZMQ_XPUB_NODROP, 0);
  SendOutcome outcome = SendOutcome::kFailed;
  if (zmq_msg_send(&first, handle_, ZMQ_DONTWAIT | (frames.size() > 1 ? ZMQ_SNDMORE : 0)) >= 0) {
    outcome = send_frames(std::move(frames), 1) == SendOutcome::kSent ? SendOutcome::kFull : SendOutcome::kFailed;
  } else {
    zmq_msg_close(&first);
  }
  set_option(ZMQ_XPUB_NODROP, 1);
  return outcome;
}

Sub::Sub(ZmqContext& context, const wire::MessageLimits& limits) : ZmqSocket(context, ZMQ_SUB, limits) {
  set_option(ZMQ_RECONNECT_IVL, 100);
  set_option(ZMQ_RECONNECT_IVL_MAX, 1'000);
}

void Sub::subscribe(std::string_view prefix) {
  CHECK(zmq_setsockopt(handle_, ZMQ_SUBSCRIBE, prefix.data(), prefix.size()) == 0);
}

void Sub::unsubscribe(std::string_view prefix) {
  CHECK(zmq_setsockopt(handle_, ZMQ_UNSUBSCRIBE, prefix.data(), prefix.size()) == 0);
}

}  // namespace compositord::net
