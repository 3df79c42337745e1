#pragma once
// A distinct type around a value, so that a routing id and a service name can't change places.

#include <compare>
#include <cstddef>
#include <functional>
#include <utility>

namespace compositord {

template <class T, class Tag>
class StrongType {
 public:
  StrongType() = default;
  explicit StrongType(T value) : value_(std::move(value)) {}
  const T& value() const noexcept { return value_; }
  friend auto operator<=>(const StrongType&, const StrongType&) = default;
  friend bool operator==(const StrongType&, const StrongType&) = default;

 private:
  T value_{};
};

}  // namespace compositord

template <class T, class Tag>
struct std::hash<compositord::StrongType<T, Tag>> {
  std::size_t operator()(const compositord::StrongType<T, Tag>& s) const noexcept { return std::hash<T>{}(s.value()); }
};
