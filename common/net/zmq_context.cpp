#include "common/net/zmq_context.h"

#include <sys/resource.h>
#include <zmq.h>

#include <algorithm>

#include "common/base/check.h"

namespace compositord::net {

ZmqContext::ZmqContext() : handle_(zmq_ctx_new()) {
  CHECK(handle_ != nullptr);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  constexpr int kSocketsMax = 65'535;  // libzmq's own ceiling (ZMQ_SOCKET_LIMIT)
  zmq_ctx_set(handle_, ZMQ_MAX_SOCKETS, kSocketsMax);
}

ZmqContext::~ZmqContext() { zmq_ctx_term(handle_); }

}  // namespace compositord::net
