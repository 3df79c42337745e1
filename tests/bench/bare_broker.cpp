// The least that a broker of libzmq can be that keeps credit: one ROUTER, one queue, one worker, and no checks, limits, timers or
// store. bench_routing and bench_idle measure it when it is given as --broker. What it costs no broker of libzmq can save, and what
// compositord costs more is compositord's.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "tests/bench/raw_socket.h"

namespace compositord::bench {
namespace {

constexpr int kMessagesPerTurnMax = 256;

class BareBroker {
 public:
  explicit BareBroker(RawSocket& bus) : bus_(bus) {}

  void run() {
    for (;;) {
      zmq_pollitem_t item{bus_.handle(), 0, ZMQ_POLLIN, 0};
      zmq_poll(&item, 1, -1);
      for (int i = 0; i < kMessagesPerTurnMax && take(); ++i) {
      }
    }
  }

 private:
  bool take() {
    if (next_ == nullptr) next_ = std::make_unique<RawMessage>();
    RawMessage& message = *next_;
    if (!bus_.receive(message, RawSocket::Wait::kNow)) return false;
    if (message.frame(1) == "MDPC02" && message.size() == 5) {
      message.frame(3).starts_with("bus.") ? answer_call(message) : accept();
    } else if (message.frame(1) == "MDPW02") {
      take_from_worker(message);
    }
    return true;
  }

  void accept() {
    waiting_.push_back(std::exchange(next_, nullptr));
    serve();
  }

  void serve() {
    while (!waiting_.empty() && with_worker_.size() < credit_ && !worker_.empty()) {
      RawMessage& request = *waiting_.front();
      const std::uint64_t token = ++last_token_;
      with_worker_.emplace(token, request.frame(0));
      bus_.send_bytes(worker_, true);
      bus_.send_bytes("MDPW02", true);
      bus_.send_bytes("\x02", true);
      bus_.send_bytes({reinterpret_cast<const char*>(&token), sizeof(token)}, true);
      bus_.send_bytes("", true);
      bus_.send_frame(request, 4, false);
      next_ = std::move(waiting_.front());
      waiting_.pop_front();
    }
  }

  void take_from_worker(RawMessage& message) {
    const char command = message.frame(2).at(0);
    if (command == 1) {
      ++workers_;
      worker_ = message.frame(0);
      serve();
    } else if (command == 4) {
      std::uint64_t token = 0;
      std::memcpy(&token, message.frame(3).data(), sizeof(token));
      const auto request = with_worker_.find(token);
      bus_.send_bytes(request->second, true);
      bus_.send_bytes("MDPC02", true);
      bus_.send_bytes("\x03", true);
      bus_.send_bytes("bench", true);
      bus_.send_frame(message, 5, false);
      with_worker_.erase(request);
      serve();
    } else if (command == 5) {
      bus_.send({message.frame(0), "MDPW02", "\x05"});
    }
  }

  // bus.worker register, bus.agent register, bus.admin stats: what the benchmarks ask.
  void answer_call(RawMessage& message) {
    const std::string_view body = message.frame(4);
    if (const long long credit = integer_in(body, "credit"); credit > 0) credit_ = static_cast<std::size_t>(credit);
    const std::string answer = fmt::format(R"({{"v":1,"id":{},"status":200,"agents_lost":0,"workers":{},"stalls":0}})",
                                           integer_in(body, "id"), workers_);
    bus_.send({message.frame(0), "MDPC02", "\x03", message.frame(3), answer});
  }

  RawSocket& bus_;
  std::unique_ptr<RawMessage> next_;
  std::deque<std::unique_ptr<RawMessage>> waiting_;
  std::unordered_map<std::uint64_t, std::string> with_worker_;  // whose requests
  std::string worker_;
  std::size_t credit_ = 1;
  std::uint64_t last_token_ = 0;
  std::int64_t workers_ = 0;
};

int program() {
  RawContext context;
  RawSocket bus(context, ZMQ_ROUTER);
  constexpr int kBacklog = 4'096;
  zmq_setsockopt(bus.handle(), ZMQ_BACKLOG, &kBacklog, sizeof(kBacklog));
  const std::string endpoint = bus.bind("tcp://127.0.0.1:*");
  fmt::print("bus {0}\nfeed {0}\nready\n", endpoint);
  std::fflush(stdout);
  BareBroker(bus).run();
  return 0;
}

}  // namespace
}  // namespace compositord::bench

int main() { return compositord::bench::program(); }
