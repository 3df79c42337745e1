#include "broker/trace/history_trace.h"

#include <type_traits>
#include <utility>

namespace compositord::broker {

namespace {

using msg::Value;

// The members of each struct, once for both directions: binding them all makes a member that was added a compile error here.
template <class M, class T>
concept Is = std::is_same_v<std::remove_const_t<M>, T>;

template <Is<ManifestRevision> M, class V>
void members(M& m, V& v) {
  auto& [id, revision, hash, manifest, name, version, observed_at, keep] = m;
  v(id), v(revision), v(hash), v(manifest), v(name), v(version), v(observed_at), v(keep);
}
template <Is<OutputChange> M, class V>
void members(M& m, V& v) {
  auto& [name, state, planned] = m;
  v(name), v(state), v(planned);
}
template <Is<StatusChange> M, class V>
void members(M& m, V& v) {
  auto& [id, epoch, seq, at, verdict, layer, reason, link, process, progress, outputs] = m;
  v(id), v(epoch), v(seq), v(at), v(verdict), v(layer), v(reason), v(link), v(process), v(progress), v(outputs);
}
template <Is<BrokerRun> M, class V>
void members(M& m, V& v) {
  auto& [epoch, started_at, alive_at, forget_before, changes_max] = m;
  v(epoch), v(started_at), v(alive_at), v(forget_before), v(changes_max);
}
template <Is<StoreRows> M, class V>
void members(M& m, V& v) {
  auto& [revisions, changes, runs, more] = m;
  v(revisions), v(changes), v(runs), v(more);
}
template <Is<RevisionsQuery> M, class V>
void members(M& m, V& v) {
  auto& [id, revisions] = m;
  v(id), v(revisions);
}
template <Is<ChangesQuery> M, class V>
void members(M& m, V& v) {
  auto& [ids, since, until, with_before, after_epoch, after_seq, rows_max] = m;
  v(ids), v(since), v(until), v(with_before), v(after_epoch), v(after_seq), v(rows_max);
}

template <class T>
Value array_of(const T& record);

struct MemberWriter {
  Value::Array items;
  void operator()(const std::string& bytes) { items.emplace_back(msg::Binary{bytes}); }
  void operator()(std::uint64_t number) { items.emplace_back(number); }
  void operator()(UnixMs time) { items.emplace_back(time.ms); }
  void operator()(bool flag) { items.emplace_back(flag); }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(E value) { items.emplace_back(std::string(msg::name_of(value))); }
  template <class T>
  void operator()(const std::vector<T>& list) {
    Value::Array array;
    for (const T& one : list) {
      if constexpr (std::is_class_v<T> && !std::is_same_v<T, std::string>) {
        array.push_back(array_of(one));
      } else {
        MemberWriter single;
        single(one);
        array.push_back(std::move(single.items[0]));
      }
    }
    items.emplace_back(std::move(array));
  }
};

template <class T>
Value array_of(const T& record) {
  MemberWriter writer;
  members(record, writer);
  return Value(std::move(writer.items));
}

// Remembers that something didn't fit, so that it is asked once at the end.
class MemberReader {
 public:
  explicit MemberReader(const Value& value) : items_(value.if_array()), wrong_(items_ == nullptr) {}
  bool took_all() const noexcept { return !wrong_ && next_ == items_->size(); }

  void operator()(std::string& bytes) {
    const Value* value = take();
    const msg::Binary* binary = value == nullptr ? nullptr : value->if_binary();
    wrong_ |= binary == nullptr;
    if (binary != nullptr) bytes = binary->bytes;
  }
  void operator()(std::uint64_t& number) {
    const Value* value = take();
    const std::int64_t* small = value == nullptr ? nullptr : value->if_int();
    const std::uint64_t* big = value == nullptr ? nullptr : value->if_big_uint();
    wrong_ |= big == nullptr && (small == nullptr || *small < 0);
    if (!wrong_) number = big != nullptr ? *big : static_cast<std::uint64_t>(*small);
  }
  void operator()(UnixMs& time) {
    const Value* value = take();
    const std::int64_t* ms = value == nullptr ? nullptr : value->if_int();
    wrong_ |= ms == nullptr;
    if (ms != nullptr) time.ms = *ms;
  }
  void operator()(bool& flag) {
    const Value* value = take();
    const bool* found = value == nullptr ? nullptr : value->if_bool();
    wrong_ |= found == nullptr;
    if (found != nullptr) flag = *found;
  }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(E& state) {
    const Value* value = take();
    const std::string* name = value == nullptr ? nullptr : value->if_string();
    const auto found = name == nullptr ? std::nullopt : msg::enum_from_name<E>(*name);
    wrong_ |= !found.has_value();
    if (found) state = *found;
  }
  template <class T>
  void operator()(std::vector<T>& list) {
    const Value* value = take();
    const Value::Array* array = value == nullptr ? nullptr : value->if_array();
    wrong_ |= array == nullptr;
    if (array == nullptr) return;
    for (const Value& one : *array) {
      MemberReader reader(one);
      members(list.emplace_back(), reader);
      wrong_ |= !reader.took_all();
    }
  }

 private:
  const Value* take() {
    if (!wrong_ && next_ < items_->size()) return &(*items_)[next_++];
    wrong_ = true;
    return nullptr;
  }

  const Value::Array* items_;
  std::size_t next_ = 0;
  bool wrong_;
};

}  // namespace

msg::Value trace_value(const ManifestRevision& revision) { return array_of(revision); }
msg::Value trace_value(const StatusChange& change) { return array_of(change); }
msg::Value trace_value(const BrokerRun& run) { return array_of(run); }
msg::Value trace_value(const StoreRows& rows) { return array_of(rows); }
msg::Value trace_value(const StoreQuery& query) {
  return std::visit([](const auto& q) { return array_of(q); }, query);
}

bool read_trace_value(const msg::Value& value, StoreRows& rows) {
  MemberReader reader(value);
  members(rows, reader);
  return reader.took_all();
}

}  // namespace compositord::broker
