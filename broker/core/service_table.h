#pragma once
// The services: for each name the workers that can be given work, longest-idle first, and the requests that wait for one.

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/core/broker_config.h"
#include "broker/core/request_table.h"
#include "broker/core/worker_table.h"

namespace compositord::broker {

struct Service {
  std::string name;
  std::list<WorkerId> idle;         // have nothing to do; the front has waited longest
  std::list<WorkerId> busy;         // have work and credit left; the front was given some the longest time ago
  std::size_t workers = 0;          // ready ones, idle or not
  std::list<RequestToken> waiting;  // in order of arrival
  std::size_t waiting_bytes = 0;

  // Whose turn it is; 0: nobody has credit left.
  WorkerId next_worker() const noexcept { return !idle.empty() ? idle.front() : busy.empty() ? 0 : busy.front(); }
};

class ServiceTable {
 public:
  explicit ServiceTable(const Limits& limits) : limits_(limits) {}
  ServiceTable(const ServiceTable&) = delete;  // open requests, and the names in order, point at its services
  ServiceTable& operator=(const ServiceTable&) = delete;

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

  // To the end of the line in which it belongs, unless it is in that already.
  void line_up(Service& service, Worker& worker);
  void leave_line(Worker& worker);

  // At most `count` services whose names begin with `prefix`, in the order of their names. O(log n) and what is found.
  std::vector<const Service*> with_prefix(std::string_view prefix, std::size_t count) const;

  std::size_t size() const noexcept { return services_.size(); }
  std::size_t waiting_bytes() const noexcept { return waiting_bytes_; }
  const std::unordered_map<std::string, Service>& all() const noexcept { return services_; }
  bool check_invariants() const;

 private:
  bool enqueue_at(Service& service, std::list<RequestToken>::iterator place, OpenRequest& request);

  // Into and out of a service's list, by way of the spare nodes.
  std::list<std::uint64_t>::iterator insert(std::list<std::uint64_t>& list, std::list<std::uint64_t>::iterator place,
                                            std::uint64_t value);
  void erase(std::list<std::uint64_t>& list, std::list<std::uint64_t>::iterator node);

  Limits limits_;
  std::unordered_map<std::string, Service> services_;   // each message asks for one by its name
  std::map<std::string_view, const Service*> by_name_;  // the same, each under its own Service::name
  std::size_t waiting_bytes_ = 0;
  std::list<std::uint64_t> spare_;  // nodes that were in a service's list and will be again: each request moves two
};

}  // namespace compositord::broker
