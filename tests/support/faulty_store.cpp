#include "tests/support/faulty_store.h"

#include <algorithm>
#include <utility>

namespace compositord::test {

void StoreFaults::fail_commit(std::size_t index) {
  const std::lock_guard lock(mutex_);
  failing_.insert(commits_.size() + index);
}

void StoreFaults::block() {
  const std::lock_guard lock(mutex_);
  blocking_ = true;
}

void StoreFaults::release() {
  const std::lock_guard lock(mutex_);
  blocking_ = false;
  changed_.notify_all();
}

bool StoreFaults::wait_until_blocked(Duration deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, deadline, [this] { return hangs_; });
}

bool StoreFaults::wait_for_commits(std::size_t count, Duration deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, deadline, [this, count] { return ended_ >= count; });
}

std::vector<std::vector<std::string>> StoreFaults::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

bool StoreFaults::enter(std::vector<std::string> ids) {
  std::unique_lock lock(mutex_);
  const bool fails = failing_.erase(commits_.size()) > 0;
  commits_.push_back(std::move(ids));
  hangs_ = blocking_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !blocking_; });
  hangs_ = false;
  return fails;
}

void StoreFaults::leave() {
  const std::lock_guard lock(mutex_);
  ++ended_;
  changed_.notify_all();
}

FaultyStore::FaultyStore(std::shared_ptr<StoreFaults> faults, std::unique_ptr<broker::Store> inner)
    : faults_(std::move(faults)), inner_(std::move(inner)) {}

Result<broker::StoredState> FaultyStore::load(UnixMs now) {
  if (inner_) return inner_->load(now);
  broker::StoredState state = records_.state();
  epoch_ = std::max(epoch_ + 1, static_cast<std::uint64_t>(now.ms / 1'000));
  state.epoch = epoch_;
  return state;
}

Result<void> FaultyStore::commit(std::span<const broker::StoreWrite> writes) {
  std::vector<std::string> ids;
  for (const broker::StoreWrite& write : writes) {
    if (const auto* compositor = std::get_if<broker::CompositorRecord>(&write.record)) ids.push_back(compositor->id);
    if (const auto* job = std::get_if<broker::JobRecord>(&write.record)) ids.push_back(job->id);
  }
  const bool fails = faults_->enter(std::move(ids));
  Result<void> outcome;
  if (fails) {
    outcome = fail(Status::kStore, "the disk failed, as the test wanted");
  } else if (inner_) {
    outcome = inner_->commit(writes);
  } else {
    for (const broker::StoreWrite& write : writes) records_.keep(write.record);
  }
  faults_->leave();
  return outcome;
}

Result<broker::StoreRows> FaultyStore::read(const broker::StoreQuery& query) {
  return inner_ ? inner_->read(query) : Result<broker::StoreRows>();
}

std::optional<broker::StoreFileNews> FaultyStore::take_file_news() {
  return inner_ ? inner_->take_file_news() : std::nullopt;
}

}  // namespace compositord::test
