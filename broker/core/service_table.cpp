#include "broker/core/service_table.h"

#include <utility>

#include "common/base/check.h"

namespace compositord::broker {

namespace {
constexpr std::size_t kSpareMax = 64;  // a request that is served at once needs two
}

Service* ServiceTable::find(const std::string& name) {
  const auto it = services_.find(name);
  return it == services_.end() ? nullptr : &it->second;
}

Service* ServiceTable::open(const std::string& name) {
  if (Service* service = find(name)) return service;
  if (services_.size() >= limits_.services_max) return nullptr;
  Service& service = services_[name];
  service.name = name;
  by_name_.emplace(service.name, &service);
  return &service;
}

void ServiceTable::close_if_empty(const Service& service) {
  if (service.workers != 0 || !service.waiting.empty()) return;
  by_name_.erase(service.name);  // first: its key is the service's own name
  services_.erase(services_.find(service.name));
}

std::vector<const Service*> ServiceTable::with_prefix(std::string_view prefix, std::size_t count) const {
  std::vector<const Service*> found;
  for (auto it = by_name_.lower_bound(prefix); it != by_name_.end() && it->first.starts_with(prefix); ++it) {
    if (found.size() == count) break;
    found.push_back(it->second);
  }
  return found;
}

bool ServiceTable::check_invariants() const {
  if (by_name_.size() != services_.size()) return false;
  for (const auto& [name, service] : services_) {
    const auto it = by_name_.find(name);
    if (it == by_name_.end() || it->second != &service || it->first.data() != service.name.data()) return false;
  }
  return true;
}

bool ServiceTable::enqueue(Service& service, OpenRequest& request) {
  return enqueue_at(service, service.waiting.end(), request);
}

bool ServiceTable::enqueue_first(Service& service, OpenRequest& request) {
  return enqueue_at(service, service.waiting.begin(), request);
}

bool ServiceTable::enqueue_at(Service& service, std::list<RequestToken>::iterator place, OpenRequest& request) {
  // With a free worker it goes on at once, and takes no place: what waits for others must not stop it.
  if (service.next_worker() == 0) {
    if (service.waiting.size() >= limits_.queued_requests_per_service_max) return false;
    if (service.waiting_bytes + request.bytes > limits_.queued_bytes_per_service_max) return false;
    if (waiting_bytes_ + request.bytes > limits_.queued_bytes_max) return false;
  }
  service.waiting_bytes += request.bytes;
  waiting_bytes_ += request.bytes;
  request.queue_place = insert(service.waiting, place, request.token);
  return true;
}

void ServiceTable::dequeue(Service& service, OpenRequest& request) {
  CHECK(request.state == RequestState::kWaiting);
  erase(service.waiting, request.queue_place);
  service.waiting_bytes -= request.bytes;
  waiting_bytes_ -= request.bytes;
}

void ServiceTable::line_up(Service& service, Worker& worker) {
  std::list<WorkerId>* line = worker.outstanding.empty() ? &service.idle : &service.busy;
  if (worker.outstanding.size() >= static_cast<std::size_t>(worker.credit)) line = nullptr;
  if (worker.line == line) return;
  leave_line(worker);
  if (line == nullptr) return;
  worker.place = insert(*line, line->end(), worker.id);
  worker.line = line;
}

void ServiceTable::leave_line(Worker& worker) {
  if (worker.line != nullptr) erase(*std::exchange(worker.line, nullptr), worker.place);
}

std::list<std::uint64_t>::iterator ServiceTable::insert(std::list<std::uint64_t>& list,
                                                        std::list<std::uint64_t>::iterator place, std::uint64_t value) {
  if (spare_.empty()) return list.insert(place, value);
  const auto node = spare_.begin();
  *node = value;
  list.splice(place, spare_, node);
  return node;
}

void ServiceTable::erase(std::list<std::uint64_t>& list, std::list<std::uint64_t>::iterator node) {
  if (spare_.size() >= kSpareMax) {
    list.erase(node);
  } else {
    spare_.splice(spare_.begin(), list, node);
  }
}

}  // namespace compositord::broker
