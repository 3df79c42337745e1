#pragma once
// A socket that accepts connections at an endpoint, as zmq_tcp(7) and zmq_ipc(7) write them: tcp://127.0.0.1:7755, tcp://*:*,
// tcp://eth0:7755, tcp://[::1]:7755, ipc:///run/compositord/bus, ipc://@abstract, ipc://*.

#include <string>

#include "common/base/result.h"

namespace compositord::net {

class Listener {
 public:
  // Errors: kConflict when somebody listens there, kMalformed for an endpoint that can't be understood, kFailed otherwise; all
  // name the endpoint. A socket file that nobody listens at any more is replaced.
  static Result<Listener> open(const std::string& endpoint);

  ~Listener();
  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;

  const std::string& endpoint() const noexcept { return endpoint_; }  // as it became, with its port
  int fd() const noexcept { return fd_; }
  struct Accepted {
    int fd = -1;       // ready to be used without blocking; -1: there is none, errno says why
    std::string from;  // as peer_name() says it
  };
  Accepted accept() const;

 private:
  Listener(int fd, std::string endpoint) noexcept;
  static Result<Listener> open_tcp(const std::string& endpoint);
  static Result<Listener> open_ipc(const std::string& endpoint);

  int fd_;
  std::string endpoint_;
  std::string path_;    // the file that is ours; empty: none
  std::string folder_;  // and the folder
};

// Whether a program accepts connections at this socket file, or abstract name (@…).
bool somebody_listens(const std::string& path);

}  // namespace compositord::net
