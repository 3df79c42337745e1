#include "broker/core/service_table.h"

#include "common/base/check.h"

namespace compositord::broker {

Service* ServiceTable::find(const std::string& name) {
  const auto it = services_.find(name);
  return it == services_.end() ? nullptr : &it->second;
}

Service* ServiceTable::open(const std::string& name) {
  if (Service* service = find(name)) return service;
  if (services_.size() >= limits_.services_max) return nullptr;
  return &services_[name];
}

void ServiceTable::close_if_empty(const std::string& name) {
  const auto it = services_.find(name);
  if (it != services_.end() && it->second.workers == 0 && it->second.waiting.empty()) services_.erase(it);
}

bool ServiceTable::enqueue(Service& service, OpenRequest& request) {
  return enqueue_at(service, service.waiting.end(), request);
}

bool ServiceTable::enqueue_first(Service& service, OpenRequest& request) {
  return enqueue_at(service, service.waiting.begin(), request);
}

bool ServiceTable::enqueue_at(Service& service, std::list<RequestToken>::iterator place, OpenRequest& request) {
  if (service.waiting.size() >= limits_.queued_requests_per_service_max) return false;
  if (service.waiting_bytes + request.bytes > limits_.queued_bytes_per_service_max) return false;
  if (waiting_bytes_ + request.bytes > limits_.queued_bytes_max) return false;
  service.waiting_bytes += request.bytes;
  waiting_bytes_ += request.bytes;
  request.queue_place = service.waiting.insert(place, request.token);
  return true;
}

void ServiceTable::dequeue(Service& service, OpenRequest& request) {
  CHECK(request.state == RequestState::kWaiting);
  service.waiting.erase(request.queue_place);
  service.waiting_bytes -= request.bytes;
  waiting_bytes_ -= request.bytes;
}

void ServiceTable::put_idle(Service& service, Worker& worker) {
  if (worker.has_idle_place) return;
  worker.idle_place = service.idle.insert(service.idle.end(), worker.id);
  worker.has_idle_place = true;
}

void ServiceTable::take_idle(Service& service, Worker& worker) {
  if (!worker.has_idle_place) return;
  service.idle.erase(worker.idle_place);
  worker.has_idle_place = false;
}

}  // namespace compositord::broker
