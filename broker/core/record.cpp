#include "broker/core/record.h"

#include <fmt/format.h>

namespace compositord::broker {

namespace {

struct KeyOf {
  std::string operator()(const CompositorRecord& r) const { return "compositor " + r.id; }
  std::string operator()(const JobRecord& r) const { return "job " + r.id; }
  std::string operator()(const AlertRecord& r) const { return "alert " + r.id; }
  std::string operator()(const WindowRecord& r) const { return "window " + r.id; }
  std::string operator()(const ManifestRevision& r) const { return fmt::format("revision {} {}", r.id, r.revision); }
  std::string operator()(const StatusChange& r) const { return fmt::format("change {} {} {}", r.id, r.epoch, r.seq); }
  std::string operator()(const BrokerRun& r) const { return fmt::format("run {}", r.epoch); }
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
         wire::held_bytes(r.body) + wire::held_bytes(r.result);
}

std::size_t size_of(const AlertRecord& r) {
  return sizeof(StoreWrite) + r.id.size() + r.subject.size() + r.about.size() + r.document.size();
}

std::size_t size_of(const WindowRecord& r) { return sizeof(StoreWrite) + r.id.size() + r.document.size(); }
std::size_t size_of(const ManifestRevision& r) {
  return sizeof(StoreWrite) + r.id.size() + r.hash.size() + r.manifest.size() + r.name.size() + r.version.size();
}

std::size_t size_of(const StatusChange& r) {
  std::size_t bytes = sizeof(StoreWrite) + r.id.size() + r.layer.size() + r.reason.size();
  for (const OutputChange& output : r.outputs) bytes += sizeof(output) + output.name.size();
  return bytes;
}

std::size_t size_of(const BrokerRun&) { return sizeof(StoreWrite); }

std::size_t size_of(const Record& record) {
  return std::visit([](const auto& r) { return size_of(r); }, record);
}

}  // namespace compositord::broker
