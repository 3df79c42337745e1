#pragma once
// A connection to an X server that never blocks, whatever the server does.
//
// XCB alone does not give that: xcb_connect_to_fd() waits for the setup reply, a reply that has begun is waited for until
// it is whole, and a full socket makes xcb_flush() wait. So XCB does not get the server's socket. It talks to one end of a
// socket pair; we hold the other end and carry bytes between it and the server, without ever waiting:
//
//   server --socket--> PacketCutter --whole packets--> pair --> XCB --> replies, events
//   server <--socket-- unsent_      <----------------- pair <-- XCB <-- requests
//
// XCB is started only when the whole setup reply is there, and is given it as soon as it asks. What it wants to read is
// always there, and what it writes is always taken away at once.
//
// Two of XCB's functions still wait for an answer: xcb_get_extension_data() for an extension that has not been
// prefetched and answered (and with it every request of that extension), and xcb_wait_for_*() and xcb_*_reply(). None is
// used here; begin_naming() prefetches. A third one waits when it has given all its ids, xcb_generate_id(): take_id() is
// there instead. And a request longer than the setup allows makes it ask how long one may be with BIG-REQUESTS: all of ours keep to
// kRequestBytesMax.

#include <poll.h>
#include <xcb/xcb.h>
#include <xcb/xcbext.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/process/file_descriptor.h"
#include "agent/x11/x_ids.h"
#include "agent/x11/x_packets.h"
#include "common/base/result.h"

namespace compositord::agent::x11 {

struct FreeXMemory {
  void operator()(void* memory) const noexcept { std::free(memory); }
};
template <class T>
using XOwned = std::unique_ptr<T, FreeXMemory>;

class XConnection {
 public:
  // Called once: with the reply, or with null when the server answered with an error or the extension isn't there.
  using ReplyHandler = std::function<void(const void* reply)>;
  // More replies owed than this, and somebody forgot a bound.
  static constexpr std::size_t kOwedMax = 1024;
  // What the protocol promises at the least: 4096 units of 4 bytes.
  static constexpr std::size_t kRequestBytesMax = 16U << 10U;
  // More unsent bytes than this mean that the server does not read.
  static constexpr std::size_t kUnsentBytesMax = 256U << 10U;

  // On a connected, non-blocking socket.
  XConnection(FileDescriptor server, const std::string& setup_request);
  XConnection(const XConnection&) = delete;
  XConnection& operator=(const XConnection&) = delete;

  // The setup reply came: from now on xcb(), setup() and requests may be used.
  bool is_set_up() const noexcept { return xcb_ != nullptr; }
  xcb_connection_t* xcb() const noexcept { return xcb_.get(); }
  const xcb_setup_t* setup() const noexcept { return xcb_get_setup(xcb_.get()); }
  const xcb_screen_t* screen() const noexcept { return xcb_setup_roots_iterator(setup()).data; }

  // For a resource that is about to be made. Errors: kLimit when the server allows no more.
  Result<XId> take_id();

  void poll_fds(std::vector<pollfd>& fds) const;
  // Reads what is there, appends events and errors of requests without a reply, and calls the handlers of replies that
  // came, in order. Errors: kGone when the server closed, kForbidden when it refuses us, kTooLarge, kFailed.
  Result<void> service(std::vector<XOwned<xcb_generic_event_t>>& events);
  // Sends what has been asked for since the last time. Errors: kGone, kLimit when the server does not read.
  Result<void> flush();

  // `handler` gets the reply to the request `sequence`, just made.
  template <class Cookie>
  void expect(Cookie cookie, ReplyHandler handler) {
    owed_.push_back(Owed{cookie.sequence, std::move(handler)});
  }
  std::size_t owed() const noexcept { return owed_.size(); }

 private:
  struct Disconnect {
    void operator()(xcb_connection_t* xcb) const noexcept { xcb_disconnect(xcb); }
  };
  struct Owed {
    unsigned sequence = 0;
    ReplyHandler handler;
  };

  Result<void> take_packet(const std::string& packet, std::vector<XOwned<xcb_generic_event_t>>& events);
  Result<void> give_to_xcb(const std::string& packet);
  Result<void> answer_setup(const std::string& setup_reply);
  Result<void> start_xcb(const std::string& setup_reply);
  void take_replies();
  void take_requests();
  Result<void> send_unsent();

  FileDescriptor server_;
  FileDescriptor pair_;  // our end; XCB owns the other one
  std::unique_ptr<xcb_connection_t, Disconnect> xcb_;
  XIds ids_;
  PacketCutter cutter_;
  std::string unsent_;
  std::deque<Owed> owed_;
};

}  // namespace compositord::agent::x11
