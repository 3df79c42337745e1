#include "broker/core/record.h"

namespace compositord::broker {

namespace {

struct KeyOf {
  std::string operator()(const CompositorRecord& r) const { return "compositor " + r.id; }
  std::string operator()(const JobRecord& r) const { return "job " + r.id; }
};

}  // namespace

std::string key_of(const Record& record) { return std::visit(KeyOf{}, record); }

std::size_t size_of(const CompositorRecord& r) {
  std::size_t bytes = sizeof(StoreWrite) + r.id.size() + r.manifest.size() + r.hash.size();
  for (const auto& label : r.labels) bytes += sizeof(label) + label.first.size() + label.second.size();
  return bytes;
}

std::size_t size_of(const JobRecord& r) {
  return sizeof(StoreWrite) + r.id.size() + r.service.size() + r.method.size() + r.idem.size() + r.error.size() +
         wire::total_bytes(r.body) + wire::total_bytes(r.result);
}

std::size_t size_of(const Record& record) {
  return std::visit([](const auto& r) { return size_of(r); }, record);
}

}  // namespace compositord::broker
