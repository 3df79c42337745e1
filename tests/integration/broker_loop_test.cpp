// The broker's loop over real sockets, with a store that does what it is told.

#include "broker/io/broker_loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/base/clock.h"
#include "common/msg/envelope.h"
#include "common/net/poller.h"
#include "common/wire/mdp_codec.h"
#include "tests/support/faulty_store.h"

namespace compositord::broker {
namespace {

using test::FaultyStore;
using test::StoreFaults;

constexpr Duration kPatience = std::chrono::seconds(20);
constexpr wire::Dialect k02{wire::MdpVersion::k02, false};

// A broker in a thread, on a port that the system chose.
class RunningBroker {
 public:
  explicit RunningBroker(const std::shared_ptr<StoreFaults>& faults) {
    auto store = std::make_unique<FaultyStore>(faults);
    stored_ = *store->load(unix_now());
    store_ = *StoreThread::start(std::move(store));
    sockets_ = std::make_unique<BusSockets>(context_, wire::MessageLimits{});
    bus_ = *sockets_->bind_bus("tcp://127.0.0.1:*");
    thread_ = std::thread([this] {
      log::Logger logger("broker", Severity::kError);
      BrokerCore core(BrokerConfig{}, stored_.epoch);
      BrokerLoop loop(*sockets_, *store_, logger, stop_fd_);
      loop.run(core, stored_);
    });
  }
  ~RunningBroker() {
    const std::uint64_t one = 1;
    EXPECT_EQ(write(stop_fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    thread_.join();
    close(stop_fd_);
  }
  net::ZmqContext& context() { return context_; }
  const std::string& bus() const { return bus_; }

 private:
  net::ZmqContext context_;
  StoredState stored_;
  std::unique_ptr<StoreThread> store_;
  std::unique_ptr<BusSockets> sockets_;
  std::string bus_;
  int stop_fd_ = eventfd(0, EFD_CLOEXEC);
  std::thread thread_;
};

class Peer {
 public:
  explicit Peer(RunningBroker& broker) : dealer_(broker.context(), {}) { EXPECT_TRUE(dealer_.connect(broker.bus())); }

  void send(const wire::Frames& frames) {
    const Instant deadline = monotonic_now() + kPatience;
    // With ZMQ_IMMEDIATE nothing is taken before the connection is there.
    while (dealer_.send(wire::Frames(frames)) != net::SendOutcome::kSent && monotonic_now() < deadline) wait_readable();
  }

  void call(const std::string& service, const std::string& method, msg::Value params) {
    msg::Call call;
    call.header.id = msg::Value("call");
    call.header.method = method;
    call.params = std::move(params);
    send(wire::serialize(k02, wire::mdp::ClientRequest{service, msg::serialize_call(call)}));
  }

  // The next message that `wanted` takes; false when none came in time.
  template <class Wanted>
  bool wait_for(Wanted wanted) {
    const Instant deadline = monotonic_now() + kPatience;
    while (monotonic_now() < deadline) {
      net::Received received = dealer_.receive();
      if (received.outcome == net::ReceiveOutcome::kNothing) {
        wait_readable();
        continue;
      }
      auto parsed = wire::parse_from_broker(std::move(received.frames));
      if (parsed && wanted(parsed->message)) return true;
    }
    return false;
  }

  std::uint16_t wait_for_status() {
    std::uint16_t status = 0;
    wait_for([&](const wire::FromBroker& message) {
      const auto* reply = std::get_if<wire::mdp::ClientReply>(&message);
      if (reply == nullptr) return false;
      const Result<msg::Reply> parsed = msg::parse_reply(reply->body);
      status = parsed ? parsed->header.status : 0;
      return true;
    });
    return status;
  }

  bool wait_for_heartbeat() {
    return wait_for([](const wire::FromBroker& m) { return std::holds_alternative<wire::mdp::Heartbeat>(m); });
  }

  void heartbeat() { send(wire::serialize(k02, wire::mdp::Heartbeat{})); }

 private:
  void wait_readable() {
    poller_.clear();
    poller_.add_socket(dealer_.handle());
    poller_.wait(std::chrono::milliseconds(10));
  }

  net::Dealer dealer_;
  net::Poller poller_;
};

msg::Value manifest(const char* display = "wayland-1") {
  const msg::Value none = msg::Value::array();
  return msg::Value::map({{"manifest", msg::Value::map({{"name", "sway"},
                                                        {"kind", "wayland"},
                                                        {"display", display},
                                                        {"protocols", none},
                                                        {"outputs", none},
                                                        {"inputs", none},
                                                        {"commands", none}})}});
}

void register_agent(Peer& agent) {
  agent.call("bus.agent", "register",
             msg::Value::map({{"id", "wall/wayland-1"}, {"heartbeat_ms", 50}, {"liveness", 10}}));
  ASSERT_EQ(agent.wait_for_status(), 200);
}

// A disk that hangs for as long as the test likes: heartbeats, queries and other agents go on; only the acknowledgement of what
// is to be stored waits, because it may not be given before.
TEST(BrokerLoop, NeverWaitsForTheDisk) {
  const auto faults = std::make_shared<StoreFaults>();
  RunningBroker broker(faults);
  Peer agent(broker);
  register_agent(agent);

  faults->block();
  agent.call("bus.agent", "manifest.put", manifest());
  ASSERT_TRUE(faults->wait_until_blocked(kPatience));
  for (int beat = 0; beat < 20; ++beat) {
    ASSERT_TRUE(agent.wait_for_heartbeat()) << "no heartbeat " << beat << " while the disk hangs";
    agent.heartbeat();
  }
  Peer client(broker);
  client.call("bus.manifest", "get", msg::Value::map({{"id", "wall/wayland-1"}}));
  EXPECT_EQ(client.wait_for_status(), 200) << "a query must be answered while the disk hangs";
  Peer other(broker);
  other.call("bus.agent", "register", msg::Value::map({{"id", "wall/wayland-2"}}));
  EXPECT_EQ(other.wait_for_status(), 200);

  faults->release();
  EXPECT_EQ(agent.wait_for_status(), 200) << "the manifest is acknowledged once it is stored";
}

TEST(BrokerLoop, AnswersAManifestThatCouldNotBeStoredWith507AndGoesOn) {
  const auto faults = std::make_shared<StoreFaults>();
  RunningBroker broker(faults);
  Peer agent(broker);
  register_agent(agent);
  // What the start and the registration wrote is on disk before this is: the next commit is the next manifest's.
  agent.call("bus.agent", "manifest.put", manifest());
  ASSERT_EQ(agent.wait_for_status(), 200);
  faults->fail_commit(0);
  agent.call("bus.agent", "manifest.put", manifest("wayland-2"));
  EXPECT_EQ(agent.wait_for_status(), 507);
  agent.call("bus.agent", "manifest.put", manifest("wayland-2"));
  EXPECT_EQ(agent.wait_for_status(), 200) << "the next commit is tried anew";
}

}  // namespace
}  // namespace compositord::broker
