#include "broker/trace/outputs_digest.h"

#include <string>
#include <variant>

#include "broker/trace/history_trace.h"
#include "broker/trace/trace_format.h"

namespace compositord::broker {

namespace {

constexpr std::uint64_t kFnvPrime = 0x100000001b3U;

// Each text goes in with its length, so that no two lists of texts run into the same bytes.
void add_text(Fnv& fnv, std::string_view text) {
  fnv.add(std::uint64_t{text.size()});
  fnv.add(text);
}

void add(Fnv& fnv, const wire::Frames& frames) {
  fnv.add(std::uint64_t{frames.size()});
  for (const wire::Frame& frame : frames) add_text(fnv, frame);
}

void add(Fnv& fnv, const StoreWrite& write) {
  const auto& [commit_id, record] = write;
  fnv.add(commit_id);
  std::visit([&](const auto& r) { add_text(fnv, serialize(r)); }, record);  // as a trace has it: every member
}

void add(Fnv& fnv, const StoreRead& read) {
  const auto& [read_id, query] = read;
  fnv.add(read_id);
  add_text(fnv, msg::encode_msgpack(trace_value(query)));
}

void add(Fnv& fnv, const Send& send) {
  const auto& [peer, frames, request] = send;
  add_text(fnv, peer.value());
  add(fnv, frames);
  fnv.add(request);
}

void add(Fnv& fnv, const msg::Alert& notice) { add_text(fnv, msg::encode_msgpack(to_value(notice))); }

void add(Fnv& fnv, std::uint64_t number) { fnv.add(number); }
void add(Fnv& fnv, Severity severity) { fnv.add(static_cast<std::uint64_t>(severity)); }

void add(Fnv& fnv, const LogEvent& event) {
  fnv.add(static_cast<std::uint64_t>(event.severity));
  add_text(fnv, event.name);
  fnv.add(std::uint64_t{event.fields.size()});
  for (const auto& [key, value] : event.fields) {
    add_text(fnv, key);
    add_text(fnv, value);
  }
}

// The first number of a list that has something. They stand in traces: a list that is added gets the next one, and comes last.
enum class List : std::uint64_t {
  kStoreWrites = 1,
  kStoreReads,
  kSends,
  kPublishes,
  kNotices,
  kLog,
  kReloads,
  kLogLevels
};

class Digester {
 public:
  // A list without anything gives nothing, so that digests from before it was added stay what they were.
  template <class Items>
  void add_from(List list, const Items& items, std::size_t first) {
    if (items.size() == first) return;
    fnv_.add(static_cast<std::uint64_t>(list));
    fnv_.add(std::uint64_t{items.size() - first});
    for (std::size_t i = first; i < items.size(); ++i) add(fnv_, items[i]);
    count_ += items.size() - first;
  }
  OutputsDigest result() const noexcept { return {fnv_.value(), count_}; }

 private:
  Fnv fnv_;
  std::uint64_t count_ = 0;
};

}  // namespace

void Fnv::add(std::string_view bytes) noexcept {
  for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * kFnvPrime;
}

void Fnv::add(std::uint64_t number) noexcept {
  for (int shift = 0; shift < 64; shift += 8) value_ = (value_ ^ ((number >> shift) & 0xffU)) * kFnvPrime;
}

OutputsMark mark_of(const Outputs& outputs) noexcept {
  const auto& [store_writes, store_reads, sends, publishes, notices, reloads, log_levels, log] = outputs;
  return {store_writes.size(), store_reads.size(), sends.size(),      publishes.size(),
          notices.size(),      reloads.size(),     log_levels.size(), log.size()};
}

OutputsDigest digest_since(const OutputsMark& mark, const Outputs& outputs) {
  Digester digester;
  digester.add_from(List::kStoreWrites, outputs.store_writes, mark.store_writes);
  digester.add_from(List::kStoreReads, outputs.store_reads, mark.store_reads);
  digester.add_from(List::kSends, outputs.sends, mark.sends);
  digester.add_from(List::kPublishes, outputs.publishes, mark.publishes);
  digester.add_from(List::kNotices, outputs.notices, mark.notices);
  digester.add_from(List::kLog, outputs.log, mark.log);
  digester.add_from(List::kReloads, outputs.reloads, mark.reloads);
  digester.add_from(List::kLogLevels, outputs.log_levels, mark.log_levels);
  return digester.result();
}

}  // namespace compositord::broker
