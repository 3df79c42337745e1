#include "broker/core/worker_table.h"

#include <algorithm>

#include "common/base/check.h"

namespace compositord::broker {

void TokenSet::insert(std::uint64_t token) {
  const auto place = std::lower_bound(tokens_.begin(), tokens_.end(), token);
  if (place == tokens_.end() || *place != token) tokens_.insert(place, token);
}

void TokenSet::erase(std::uint64_t token) {
  const auto place = std::lower_bound(tokens_.begin(), tokens_.end(), token);
  if (place != tokens_.end() && *place == token) tokens_.erase(place);
}

Worker& WorkerTable::add(const wire::RoutingId& peer) {
  const WorkerId id = ++last_id_;
  CHECK(by_peer_.emplace(peer, id).second);
  Worker& worker = workers_[id];
  worker.id = id;
  worker.peer = peer;
  return worker;
}

void WorkerTable::remove(WorkerId id) {
  const auto it = workers_.find(id);
  CHECK(it != workers_.end());
  by_peer_.erase(it->second.peer);
  workers_.erase(it);
}

Worker* WorkerTable::find(WorkerId id) {
  const auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : &it->second;
}

Worker* WorkerTable::find(const wire::RoutingId& peer) {
  const auto it = by_peer_.find(peer);
  return it == by_peer_.end() ? nullptr : find(it->second);
}

}  // namespace compositord::broker
