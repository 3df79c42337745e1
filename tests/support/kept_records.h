#pragma once
// What a store keeps, in memory: for stores that tests make up. Not history.

#include <map>
#include <string>
#include <vector>

#include "broker/core/record.h"

namespace compositord::test {

class KeptRecords {
 public:
  void keep(const broker::Record& record);
  // All of them, as Store::load gives them; the epoch is the caller's affair.
  broker::StoredState state() const;

 private:
  std::map<std::string, broker::CompositorRecord> compositors_;
  std::map<std::string, broker::JobRecord> jobs_;
  std::map<std::string, broker::AlertRecord> alerts_;
  std::map<std::string, broker::WindowRecord> windows_;
};

}  // namespace compositord::test
