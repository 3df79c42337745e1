#pragma once
// The members of what a trace holds <-> the items of a MessagePack array. trace_format.cpp lists the members of each struct.

#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker_config.h"
#include "broker/core/input.h"
#include "broker/core/record.h"
#include "broker/trace/history_trace.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/alert.h"
#include "common/msg/value.h"
#include "common/wire/frames.h"

namespace compositord::broker {

// Members <-> Values. The lists of members below are given to the one or to the other, so that both have the same order.
class FieldWriter {
 public:
  explicit FieldWriter(msg::Value::Array& items) : items_(items) {}
  void operator()(const std::string& bytes) { items_.emplace_back(msg::Binary{bytes}); }
  void operator()(const wire::RoutingId& id) { (*this)(id.value()); }
  void operator()(std::uint64_t number) { items_.emplace_back(number); }
  void operator()(std::int64_t number) { items_.emplace_back(number); }
  void operator()(int number) { items_.emplace_back(number); }
  void operator()(std::uint16_t number) { items_.emplace_back(std::int64_t{number}); }
  void operator()(bool flag) { items_.emplace_back(flag); }
  void operator()(Instant at) { items_.emplace_back(at.ns()); }
  void operator()(Duration duration) { items_.emplace_back(std::int64_t{duration.count()}); }
  void operator()(UnixMs time) { items_.emplace_back(time.ms); }
  void operator()(SendError error) { items_.emplace_back(std::int64_t{static_cast<std::uint8_t>(error)}); }
  void operator()(JobState state) { items_.emplace_back(std::int64_t{static_cast<std::uint8_t>(state)}); }
  void operator()(const wire::Frames& frames) {
    msg::Value::Array array;
    for (const wire::Frame& frame : frames) array.emplace_back(msg::Binary{frame.str()});
    items_.emplace_back(std::move(array));
  }
  void operator()(const std::vector<std::string>& texts) {
    msg::Value::Array array;
    for (const std::string& text : texts) array.emplace_back(msg::Binary{text});
    items_.emplace_back(std::move(array));
  }
  void operator()(const std::map<std::string, std::string>& map) {
    std::vector<std::string> flat;
    for (const auto& [key, value] : map) flat.insert(flat.end(), {key, value});
    (*this)(flat);
  }
  template <class T>
  void operator()(const std::optional<T>& optional) {
    items_.emplace_back(optional ? msg::Value(*optional) : msg::Value());
  }
  void operator()(const std::vector<ServiceRule>& rules);
  void operator()(const std::vector<AlertRule>& rules);
  void operator()(const Result<input::Reloaded::Taken>& result);
  void operator()(const std::optional<msg::AlertSeverity>& severity) {
    items_.emplace_back(severity ? msg::Value(std::int64_t{static_cast<std::uint8_t>(*severity)}) : msg::Value());
  }
  void operator()(const Result<StoreRows>& result) {
    (*this)(result ? Result<void>() : tl::unexpected<Error>(result.error()));
    items_.emplace_back(result ? trace_value(*result) : msg::Value());
  }
  // A status of 0 is success.
  void operator()(const Result<void>& result) {
    items_.emplace_back(result ? std::int64_t{0} : std::int64_t{to_number(result.error().status)});
    (*this)(result ? std::string() : result.error().text);
  }

 private:
  msg::Value::Array& items_;
};

// Remembers that something didn't fit, so that it is asked once at the end.
class FieldReader {
 public:
  FieldReader(const msg::Value::Array& items, std::size_t next) : items_(items), next_(next) {}
  bool took_all() const noexcept { return !wrong_ && next_ == items_.size(); }

  void operator()(std::string& bytes) {
    const msg::Binary* binary = take().if_binary();
    if (binary != nullptr) bytes = binary->bytes;
    wrong_ |= binary == nullptr;
  }
  void operator()(wire::Frames& frames) {
    std::vector<std::string> all;
    (*this)(all);
    frames.assign(std::make_move_iterator(all.begin()), std::make_move_iterator(all.end()));
  }
  void operator()(wire::RoutingId& id) {
    std::string bytes;
    (*this)(bytes);
    id = wire::RoutingId(std::move(bytes));
  }
  void operator()(std::uint64_t& number) {
    const msg::Value& value = take();
    if (const std::uint64_t* big = value.if_big_uint()) {
      number = *big;
    } else if (const std::int64_t* small = value.if_int(); small != nullptr && *small >= 0) {
      number = static_cast<std::uint64_t>(*small);
    } else {
      wrong_ = true;
    }
  }
  void operator()(std::int64_t& number) {
    const std::int64_t* value = take().if_int();
    if (value != nullptr) number = *value;
    wrong_ |= value == nullptr;
  }
  void operator()(int& number) { narrow(number); }
  void operator()(std::uint16_t& number) { narrow(number); }
  void operator()(bool& flag) {
    const bool* value = take().if_bool();
    if (value != nullptr) flag = *value;
    wrong_ |= value == nullptr;
  }
  void operator()(Instant& at) { at = Instant::from_ns(integer()); }
  void operator()(Duration& duration) { duration = Duration{integer()}; }
  void operator()(UnixMs& time) { time.ms = integer(); }
  void operator()(SendError& error) { enumerator(error, SendError::kFailed); }
  void operator()(JobState& state) { enumerator(state, JobState::kCancelled); }
  void operator()(std::vector<std::string>& texts) {
    const msg::Value::Array* array = take().if_array();
    wrong_ |= array == nullptr;
    if (array == nullptr) return;
    FieldReader in(*array, 0);
    for (std::size_t i = 0; i < array->size(); ++i) in(texts.emplace_back());
    wrong_ |= !in.took_all();
  }
  void operator()(std::map<std::string, std::string>& map) {
    std::vector<std::string> flat;
    (*this)(flat);
    wrong_ |= flat.size() % 2 != 0;
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) map[flat[i]] = flat[i + 1];
  }
  void operator()(std::optional<int>& number) {
    if (take_null()) return;
    (*this)(number.emplace());
  }
  void operator()(std::optional<bool>& flag) {
    if (take_null()) return;
    (*this)(flag.emplace());
  }
  void operator()(std::vector<ServiceRule>& rules);
  void operator()(std::vector<AlertRule>& rules);
  void operator()(Result<input::Reloaded::Taken>& result);
  void operator()(std::optional<msg::AlertSeverity>& severity) {
    if (take_null()) return;
    enumerator(severity.emplace(), msg::AlertSeverity::kCritical);
  }
  void operator()(Result<void>& result) {
    const std::int64_t status = integer();
    std::string text;
    (*this)(text);
    wrong_ |= status < 0 || status > 999;
    if (!wrong_ && status != 0) result = fail(static_cast<Status>(status), std::move(text));
  }
  void operator()(Result<StoreRows>& result) {
    Result<void> outcome;
    (*this)(outcome);
    const msg::Value& rows = take();
    if (!outcome) {
      result = tl::unexpected<Error>(outcome.error());
    } else {
      result = StoreRows{};
      wrong_ |= !read_trace_value(rows, *result);
    }
  }

 private:
  const msg::Value& take() {
    static const msg::Value kNothing;
    if (next_ < items_.size()) return items_[next_++];
    wrong_ = true;
    return kNothing;
  }
  bool take_null() {
    const bool null = next_ < items_.size() && items_[next_].is_null();
    if (null) ++next_;
    return null;
  }
  template <class Number>
  void narrow(Number& number) {
    const std::int64_t value = integer();
    wrong_ |= value < std::numeric_limits<Number>::min() || value > std::numeric_limits<Number>::max();
    if (!wrong_) number = static_cast<Number>(value);
  }
  template <class Enum>
  void enumerator(Enum& value, Enum last) {
    std::uint16_t number = 0;
    (*this)(number);
    wrong_ |= number > static_cast<std::uint16_t>(last);
    if (!wrong_) value = static_cast<Enum>(number);
  }
  std::int64_t integer() {
    std::int64_t number = 0;
    (*this)(number);
    return number;
  }

  const msg::Value::Array& items_;
  std::size_t next_;
  bool wrong_ = false;
};

}  // namespace compositord::broker
