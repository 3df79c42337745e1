#include "tests/bench/echo_worker.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tests/bench/fatal.h"

namespace compositord::bench {

namespace {

constexpr Duration kHeartbeatInterval = std::chrono::seconds(1);
// How long the thread waits for a request before it looks whether a heartbeat is due or it shall stop.
constexpr std::chrono::milliseconds kWait{100};

}  // namespace

EchoWorker::EchoWorker(Carrier carrier, const std::string& endpoint, std::string service, int credit)
    : carrier_(carrier), service_(std::move(service)), socket_(context_, ZMQ_DEALER) {
  socket_.connect(endpoint);
  if (carrier_ == Carrier::kBroker) start_work(credit);
  const int wait_ms = static_cast<int>(kWait.count());
  zmq_setsockopt(socket_.handle(), ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms));
  thread_ = std::thread([this] { run(); });
}

EchoWorker::~EchoWorker() {
  stopping_ = true;
  thread_.join();
}

void EchoWorker::start_work(int credit) {
  if (credit > 1) {  // a plain worker has 1
    const std::string answer =
        call(socket_, "bus.worker", "register",
             fmt::format(R"({{"service":"{}","credit":{},"heartbeat_ms":1000,"liveness":3}})", service_, credit));
    if (integer_in(answer, "status") != 200) fatal(fmt::format("bus.worker register: {}", answer));
  }
  socket_.send({"MDPW02", "\x01", service_});
}

void EchoWorker::run() {
  RawMessage request;
  Instant heartbeat_due = monotonic_now() + kHeartbeatInterval;
  while (!stopping_) {
    const bool received = socket_.receive(request);
    // The clock is asked with a proxy, too: both workers shall cost the same.
    if (const Instant now = monotonic_now(); now >= heartbeat_due) {
      heartbeat_due = now + kHeartbeatInterval;
      if (carrier_ == Carrier::kBroker) socket_.send({"MDPW02", "\x05"});
    }
    if (!received) continue;
    carrier_ == Carrier::kBroker ? answer_of_broker(request) : answer_of_proxy(request);
  }
  if (carrier_ == Carrier::kBroker) socket_.send({"MDPW02", "\x06"});
}

void EchoWorker::answer_of_broker(RawMessage& request) {
  if (request.size() == 2 && request.frame(1) == "\x05") return;  // HEARTBEAT
  if (request.size() != 5 || request.frame(1) != "\x02") fatal("the broker threw the worker out");
  socket_.send_frame(request, 0, true);
  socket_.send_bytes("\x04", true);
  socket_.send_frame(request, 2, true);
  socket_.send_frame(request, 3, true);
  socket_.send_frame(request, 4, false);
}

void EchoWorker::answer_of_proxy(RawMessage& request) {
  if (request.size() != 5) fatal(fmt::format("a request through the proxy has {} frames", request.size()));
  socket_.send_frame(request, 0, true);
  socket_.send_frame(request, 1, true);
  socket_.send_bytes("\x03", true);
  socket_.send_frame(request, 3, true);
  socket_.send_frame(request, 4, false);
}

}  // namespace compositord::bench
