#pragma once
// A worker that answers every request with its own body, in a thread of its own.

#include <atomic>
#include <string>
#include <thread>

#include "tests/bench/raw_socket.h"

namespace compositord::bench {

// Who carries the requests, and so which frames reach the worker:
//
//   | through  | a request                             | its answer                            |
//   |----------|---------------------------------------|---------------------------------------|
//   | a broker | "MDPW02" 02 address "" body           | "MDPW02" 04 address "" body           |
//   | a proxy  | client "MDPC02" 01 service body       | client "MDPC02" 03 service body       |
enum class Carrier { kBroker, kProxy };

class EchoWorker {
 public:
  // With a credit of more than 1 it asks a broker for it by `bus.worker register`; returns when READY is sent.
  EchoWorker(Carrier carrier, const std::string& endpoint, std::string service, int credit);
  ~EchoWorker();  // sends DISCONNECT to a broker
  EchoWorker(const EchoWorker&) = delete;
  EchoWorker& operator=(const EchoWorker&) = delete;

 private:
  void start_work(int credit);
  void run();
  void answer_of_broker(RawMessage& request);
  void answer_of_proxy(RawMessage& request);

  Carrier carrier_;
  std::string service_;
  RawContext context_;
  RawSocket socket_;  // used by the thread alone once that runs
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace compositord::bench
