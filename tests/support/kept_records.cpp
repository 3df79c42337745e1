#include "tests/support/kept_records.h"

namespace compositord::test {

namespace {

template <class Record>
void keep_in(std::map<std::string, Record>& records, const Record& record) {
  records.insert_or_assign(record.id, record);
  if constexpr (requires { record.erased; }) {
    if (record.erased) records.erase(record.id);
  }
}

template <class Record>
std::vector<Record> all_of(const std::map<std::string, Record>& records) {
  std::vector<Record> all;
  for (const auto& entry : records) all.push_back(entry.second);
  return all;
}

}  // namespace

void KeptRecords::keep(const broker::Record& record) {
  struct Keep {
    KeptRecords& kept;
    void operator()(const broker::CompositorRecord& r) const { keep_in(kept.compositors_, r); }
    void operator()(const broker::JobRecord& r) const { keep_in(kept.jobs_, r); }
    void operator()(const broker::AlertRecord& r) const { keep_in(kept.alerts_, r); }
    void operator()(const broker::WindowRecord& r) const { keep_in(kept.windows_, r); }
    // History is asked for, never loaded.
    void operator()(const broker::ManifestRevision&) const {}
    void operator()(const broker::StatusChange&) const {}
    void operator()(const broker::BrokerRun&) const {}
  };
  std::visit(Keep{*this}, record);
}

broker::StoredState KeptRecords::state() const {
  broker::StoredState state;
  state.compositors = all_of(compositors_);
  state.jobs = all_of(jobs_);
  state.alerts = all_of(alerts_);
  state.windows = all_of(windows_);
  return state;
}

}  // namespace compositord::test
