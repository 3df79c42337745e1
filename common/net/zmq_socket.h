#pragma once
// libzmq's sockets: those of agents and clients, and the broker's feed (the broker's bus is a Router). Each wrapper sets the options
// that this project depends on, reads a message always to its end, bounds it, never blocks, and says what became of a send. Thread rule: a socket is used by one thread only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/net/send_outcome.h"
#include "common/net/zmq_context.h"
#include "common/wire/frames.h"

struct zmq_msg_t;

namespace compositord::net {

enum class ReceiveOutcome : std::uint8_t {
  kNothing,   // no message is waiting
  kMessage,   // one whole message
  kTooLarge,  // one message, read to its end and thrown away, because it broke a limit
};

struct Received {
  ReceiveOutcome outcome = ReceiveOutcome::kNothing;
  wire::Frames frames;
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
  // Readable when there is something new to be told; not always when messages are left. Source: zmq_getsockopt(3), ZMQ_FD.
  int fd() const;

 protected:
  ZmqSocket(ZmqContext& context, int type, const wire::MessageLimits& limits);
  SendOutcome send_frames(wire::Frames&& frames, std::size_t first = 0);
  void set_option(int option, int value);
  void allow_ipv6(const std::string& endpoint);
  void* handle_ = nullptr;

 private:
  wire::MessageLimits limits_;
};

// What a socket does while it has no connection.
enum class Unconnected : std::uint8_t {
  kTakesNothing,  // and throws away what it had received, and nobody had taken yet, when a connection ends
  kQueues,        // for whichever connection comes, and keeps what it has received
};

// An agent's or a client's side of the bus.
class Dealer : public ZmqSocket {
 public:
  Dealer(ZmqContext& context, const wire::MessageLimits& limits, Unconnected unconnected = Unconnected::kTakesNothing);
  SendOutcome send(wire::Frames&& frames);
};

// The broker's feed. receive() gives subscriptions: one frame, 01 or 00, then the prefix.
class XPub : public ZmqSocket {
 public:
  XPub(ZmqContext& context, const wire::MessageLimits& limits);
  // A subscriber whose queue is full loses the message; all others get it. kFull tells that there was one: once, libzmq then
  // passes it over in silence until it has read half of its queue.
  SendOutcome publish(wire::Frames&& frames);

 private:
  SendOutcome publish_to_the_rest(zmq_msg_t& first, wire::Frames&& frames);
};

// A subscriber's side of the feed.
class Sub : public ZmqSocket {
 public:
  Sub(ZmqContext& context, const wire::MessageLimits& limits);
  void subscribe(std::string_view prefix);
  void unsubscribe(std::string_view prefix);
};

}  // namespace compositord::net
