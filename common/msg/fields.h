#pragma once
// One definition of a message gives all its encodings. A message is a plain struct with a list of its fields:
//
//   struct Mode {
//     std::uint32_t width_px = 0;
//     template <class Self, class V> static void fields(Self& m, V& v) { v("width_px", m.width_px); }
//   };
//
// to_value() and from_value() walk that list. A std::optional member may be missing or null; a member named with
// v.optional(...) keeps its default when missing; every other one is required. Unknown keys are ignored, so that a newer
// peer can be understood. An enum takes part by a function `enum_names(E)` that returns its {value, name} pairs.

#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/instant.h"
#include "common/msg/value.h"

namespace compositord::msg {

template <class E>
struct EnumName {
  E value;
  std::string_view name;
};

template <class E>
std::string_view name_of(E value) {
  for (const auto& entry : enum_names(E{})) {
    if (entry.value == value) return entry.name;
  }
  return "unknown";
}

template <class E>
std::optional<E> enum_from_name(std::string_view name) {
  for (const auto& entry : enum_names(E{})) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

template <class T>
Value to_value(const T& message);
template <class T>
Result<T> from_value(const Value& value);

namespace detail {

struct NullVisitor {
  template <class T>
  void operator()(std::string_view, T&) {}
  template <class T>
  void optional(std::string_view, T&) {}
};

template <class T>
concept Message = requires(T& t, NullVisitor& v) {
  T::fields(t, v);
};
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires {
  enum_names(T{});
};
template <class T>
inline constexpr bool kIsVector = false;
template <class T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
using StringMap = std::map<std::string, std::string>;

template <class T>
Value write(const T& x) {
  if constexpr (std::same_as<T, UnixMs>) {
    return Value(x.ms);
  } else if constexpr (NamedEnum<T>) {
    return Value(name_of(x));
  } else if constexpr (std::same_as<T, StringMap>) {
    Value map = Value::map();
    for (const auto& [k, v] : x) map.set(k, Value(v));
    return map;
  } else if constexpr (kIsVector<T>) {
    Value::Array array;
    array.reserve(x.size());
    for (const auto& item : x) array.push_back(write(item));
    return Value(std::move(array));
  } else if constexpr (Message<T>) {
    return to_value(x);
  } else if constexpr (std::integral<T> && !std::same_as<T, bool>) {
    if constexpr (std::is_signed_v<T>) {
      return Value(std::int64_t{x});
    } else {
      return Value(std::uint64_t{x});
    }
  } else {
    return Value(x);
  }
}

struct Writer {
  Value out = Value::map();
  template <class T>
  void operator()(std::string_view key, const T& x) {
    if constexpr (kIsOptional<T>) {
      if (x) out.set(key, write(*x));
    } else {
      out.set(key, write(x));
    }
  }
  template <class T>
  void optional(std::string_view key, const T& x) {
    (*this)(key, x);
  }
};

inline std::string expected(std::string_view what, const Value& got) {
  return std::string(what) + " expected, got " + std::string(got.kind_name());
}

// An empty string is success, anything else says what is wrong, beginning with the path below this value.
template <class T>
std::string read(const Value& v, T& x);

template <class T>
std::string read_integer(const Value& v, T& x) {
  constexpr auto kMin = std::numeric_limits<T>::min();
  constexpr auto kMax = std::numeric_limits<T>::max();
  if (const std::int64_t* i = v.if_int()) {
    if (std::cmp_less(*i, kMin) || std::cmp_greater(*i, kMax)) {
      return ": " + std::to_string(*i) + " is out of range " + std::to_string(kMin) + "…" + std::to_string(kMax);
    }
    x = static_cast<T>(*i);
    return {};
  }
  if (const std::uint64_t* u = v.if_big_uint()) {
    if (std::cmp_greater(*u, kMax)) return ": " + std::to_string(*u) + " is too large";
    x = static_cast<T>(*u);
    return {};
  }
  return ": " + expected("an integer", v);
}

template <class T>
std::string read_enum(const Value& v, T& x) {
  const std::string* s = v.if_string();
  if (s == nullptr) return ": " + expected("a string", v);
  if (const auto e = enum_from_name<T>(*s)) {
    x = *e;
    return {};
  }
  std::string names;
  for (const auto& entry : enum_names(T{})) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return ": \"" + *s + "\" is none of " + names;
}

template <class T>
std::string read_vector(const Value& v, std::vector<T>& x) {
  const Value::Array* array = v.if_array();
  if (array == nullptr) return ": " + expected("an array", v);
  x.clear();
  x.reserve(array->size());
  for (const Value& item : *array) {
    T one{};
    if (std::string e = read(item, one); !e.empty()) return "[" + std::to_string(x.size()) + "]" + e;
    x.push_back(std::move(one));
  }
  return {};
}

struct Reader {
  const Value& in;
  std::string error;

  template <class T>
  void operator()(std::string_view key, T& x) {
    field(key, x, !kIsOptional<T>);
  }
  template <class T>
  void optional(std::string_view key, T& x) {
    field(key, x, false);
  }

 private:
  template <class T>
  void field(std::string_view key, T& x, bool required) {
    if (!error.empty()) return;
    const Value* v = in.find(key);
    if (v == nullptr || v->is_null()) {
      if constexpr (std::same_as<T, Value>) return;
      if (required) error = "." + std::string(key) + ": missing";
      return;
    }
    if constexpr (kIsOptional<T>) {
      x.emplace();
      error = read(*v, *x);
    } else {
      error = read(*v, x);
    }
    if (!error.empty()) error = "." + std::string(key) + error;
  }
};

template <class T>
std::string read(const Value& v, T& x) {
  if constexpr (std::same_as<T, Value>) {
    x = v;
    return {};
  } else if constexpr (std::same_as<T, UnixMs>) {
    return read_integer(v, x.ms);
  } else if constexpr (NamedEnum<T>) {
    return read_enum(v, x);
  } else if constexpr (std::same_as<T, bool>) {
    const bool* b = v.if_bool();
    if (b == nullptr) return ": " + expected("a boolean", v);
    x = *b;
    return {};
  } else if constexpr (std::integral<T>) {
    return read_integer(v, x);
  } else if constexpr (std::floating_point<T>) {
    if (const double* d = v.if_double()) {
      if (!std::isfinite(*d)) return ": a finite number expected";
      x = *d;
      return {};
    }
    if (const std::int64_t* i = v.if_int()) {
      x = static_cast<T>(*i);
      return {};
    }
    return ": " + expected("a number", v);
  } else if constexpr (std::same_as<T, std::string>) {
    const std::string* s = v.if_string();
    if (s == nullptr) return ": " + expected("a string", v);
    x = *s;
    return {};
  } else if constexpr (std::same_as<T, StringMap>) {
    const Value::Map* map = v.if_map();
    if (map == nullptr) return ": " + expected("a map", v);
    x.clear();
    for (const auto& [key, item] : *map) {
      const std::string* s = item.if_string();
      if (s == nullptr) return "." + key + ": " + expected("a string", item);
      x[key] = *s;
    }
    return {};
  } else if constexpr (kIsVector<T>) {
    return read_vector(v, x);
  } else {
    static_assert(Message<T>, "a field of a type that messages don't know");
    if (!v.is_map()) return ": " + expected("a map", v);
    Reader reader{v, {}};
    T::fields(x, reader);
    return std::move(reader.error);
  }
}

}  // namespace detail

template <class T>
Value to_value(const T& message) {
  detail::Writer writer;
  T::fields(message, writer);
  return std::move(writer.out);
}

// Errors: kMalformed, with the path of the field: "outputs[1].scale: a number expected, got string".
template <class T>
Result<T> from_value(const Value& value) {
  T message{};
  std::string error = detail::read(value, message);
  if (error.empty()) return message;
  return fail(Status::kMalformed, error.starts_with('.') ? error.substr(1) : "message" + error);
}

}  // namespace compositord::msg
