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
  // Messages of their own size, instead of ones that hold on to the 8 KiB their connection has read: what waits in a queue
  // is as large as it is counted, and an idle connection costs 4 KiB less (tests/bench). zmq.h shows the option's name only
  // to users of drafts, but every libzmq since 4.3 has it; where one has not, only memory is lost.
  constexpr int kZeroCopyReceive = 10;  // ZMQ_ZERO_COPY_RECV
  zmq_ctx_set(handle_, kZeroCopyReceive, 0);
}

ZmqContext::~ZmqContext() { zmq_ctx_term(handle_); }

}  // namespace compositord::net
