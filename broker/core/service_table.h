#pragma once
// The services: for each name the workers that have credit left, longest-idle first, and the requests that wait for one.

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "broker/core/broker_config.h"
#include "broker/core/request_table.h"
#include "broker/core/worker_table.h"

namespace compositord::broker {

struct Service {
  std::string name;
  std::list<WorkerId> idle;         // have credit; the front has waited longest
  std::size_t workers = 0;          // ready ones, idle or not
  std::list<RequestToken> waiting;  // in order of arrival
  std::size_t waiting_bytes = 0;
};

class ServiceTable {
 public:
  explicit ServiceTable(const Limits& limits) : limits_(limits) {}

  void set_limits(const Limits& limits) noexcept { limits_ = limits; }
  Service* find(const std::string& name);
  // Finds or makes it. nullptr when there are as many services as may be.
  Service* open(const std::string& name);
  // Forgets a service that has neither workers nor waiting requests.
  void close_if_empty(const Service& service);

  // False, and nothing changed, when the service's queue or all queues together are full.
  [[nodiscard]] bool enqueue(Service& service, OpenRequest& request);
  // The same at the head of the queue.
  [[nodiscard]] bool enqueue_first(Service& service, OpenRequest& request);
  void dequeue(Service& service, OpenRequest& request);

  void put_idle(Service& service, Worker& worker);  // at the end of the line
  void take_idle(Service& service, Worker& worker);

  std::size_t size() const noexcept { return services_.size(); }
  std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }
  const std::unordered_map<std::string, Service>& all() const noexcept { return services_; }

 private:
  bool enqueue_at(Service& service, std::list<RequestToken>::iterator place, OpenRequest& request);

  // Into and out of a service's list, by way of the spare nodes.
  std::list<std::uint64_t>::iterator insert(std::list<std::uint64_t>& list, std::list<std::uint64_t>::iterator place,
                                            std::uint64_t value);
  void erase(std::list<std::uint64_t>& list, std::list<std::uint64_t>::iterator node);

  Limits limits_;
  std::unordered_map<std::string, Service> services_;
  std::size_t waiting_bytes_ = 0;
  std::list<std::uint64_t> spare_;  // nodes that were in a service's list and will be again: each request moves two
};

}  // namespace compositord::broker
