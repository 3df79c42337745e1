#pragma once
// The ZeroMQ sockets of the bus. Each wrapper sets the options that this project depends on, reads a message always to its
// end (a tail left behind would be taken for the next peer's routing id), bounds it, never blocks, and says what became of
// a send. Thread rule: a socket is used by one thread only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/zmq_context.h"
#include "common/wire/frames.h"

struct zmq_msg_t;

namespace compositord::net {

struct ReceiveLimits {
  std::size_t frames_per_message_max = 64;
  std::size_t bytes_per_frame_max = 8U << 20U;  // libzmq closes a connection that sends a larger frame
  std::size_t bytes_per_message_max = 64U << 20U;
};

enum class SendOutcome : std::uint8_t {
  kSent,         // handed to libzmq; not yet proof of arrival
  kUnreachable,  // no connection with that routing id (EHOSTUNREACH)
  kFull,         // the peer's high-water mark is reached (EAGAIN)
  kFailed,       // anything else
};

enum class ReceiveOutcome : std::uint8_t {
  kNothing,   // no message is waiting
  kMessage,   // one whole message
  kTooLarge,  // one message, read to its end and thrown away, because it broke a limit
};

struct Received {
  ReceiveOutcome outcome = ReceiveOutcome::kNothing;
  wire::RoutingId peer;  // ROUTER only
  int connection = -1;   // descriptor of the connection it came on, as the monitor's events name it; -1: unknown
  wire::Frames frames;   // without the routing id
};

// Common to all kinds: ownership, endpoints, receiving.
class ZmqSocket {
 public:
  ~ZmqSocket();
  ZmqSocket(ZmqSocket&& other) noexcept;
  ZmqSocket& operator=(ZmqSocket&& other) noexcept;

  // Binds and returns the endpoint as it became: `tcp://127.0.0.1:*` gets its port. Errors: kConflict when somebody
  // listens there, kMalformed for an endpoint that can't be understood, kFailed otherwise; all name the endpoint.
  Result<std::string> bind(const std::string& endpoint);
  Result<void> connect(const std::string& endpoint);
  Received receive();
  void* handle() const noexcept { return handle_; }  // for Poller and ConnectionMonitor

 protected:
  ZmqSocket(ZmqContext& context, int type, const ReceiveLimits& limits);
  SendOutcome send_frames(wire::Frames&& frames, std::size_t first = 0);
  void set_option(int option, int value);
  void* handle_ = nullptr;

 private:
  int connection_of(const wire::RoutingId& peer, zmq_msg_t& part);
  bool has_routing_id_;
  ReceiveLimits limits_;
  wire::RoutingId last_peer_;  // of the last message received, and on which connection it came
  int last_connection_ = -1;
};

// The broker's bus.
class Router : public ZmqSocket {
 public:
  Router(ZmqContext& context, const ReceiveLimits& limits);
  SendOutcome send(const wire::RoutingId& peer, wire::Frames&& frames);
};

// An agent's or a client's side of the bus.
class Dealer : public ZmqSocket {
 public:
  Dealer(ZmqContext& context, const ReceiveLimits& limits);
  SendOutcome send(wire::Frames&& frames);
};

// The broker's feed. receive() gives subscriptions: one frame, 01 or 00, then the prefix.
class XPub : public ZmqSocket {
 public:
  XPub(ZmqContext& context, const ReceiveLimits& limits);
  // A subscriber whose queue is full loses the message; all others get it. kFull tells that there was one: once, libzmq then
  // passes it over in silence until it has read half of its queue.
  SendOutcome publish(wire::Frames&& frames);

 private:
  SendOutcome publish_to_the_rest(zmq_msg_t& first, wire::Frames&& frames);
};

// A subscriber's side of the feed.
class Sub : public ZmqSocket {
 public:
  Sub(ZmqContext& context, const ReceiveLimits& limits);
  void subscribe(std::string_view prefix);
  void unsubscribe(std::string_view prefix);
};

}  // namespace compositord::net
