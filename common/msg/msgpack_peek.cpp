#include "common/msg/msgpack_peek.h"

#include <cstdint>

namespace compositord::msg {

namespace {

// What stands at one place: its own bytes after the head, and how many values follow that belong to it.
struct Item {
  std::size_t body = 0;  // of a string or number
  std::uint64_t parts = 0;
  bool is_map = false;
  bool is_string = false;
};

class Walker {
 public:
  explicit Walker(std::string_view bytes) : rest_(bytes) {}

  // Steps behind the head. Nothing at the end, or for what is not MessagePack as this bus writes it.
  std::optional<Item> head() {
    if (rest_.empty()) return std::nullopt;
    const auto first = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    if (first <= 0x7f || first >= 0xe0 || first == 0xc0 || first == 0xc2 || first == 0xc3) return Item{};
    if (first <= 0x8f) return Item{0, 2U * (first & 0x0fU), true, false};
    if (first <= 0x9f) return Item{0, first & 0x0fU, false, false};
    if (first <= 0xbf) return Item{first & 0x1fU, 0, false, true};
    return wide_head(first);
  }

  std::optional<std::string_view> take(std::size_t count) {
    if (count > rest_.size()) return std::nullopt;
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  // Steps over one whole value.
  bool skip() {
    for (std::uint64_t left = 1; left > 0; --left) {
      const std::optional<Item> item = head();
      if (!item || !take(item->body)) return false;
      left += item->parts;
    }
    return true;
  }

 private:
  std::optional<Item> wide_head(unsigned char first) {
    const auto sized = [&](int size_bytes, bool is_string) -> std::optional<Item> {
      const auto size = number(size_bytes);
      if (!size) return std::nullopt;
      return Item{static_cast<std::size_t>(*size), 0, false, is_string};
    };
    const auto holding = [&](int size_bytes, std::uint64_t each) -> std::optional<Item> {
      const auto count = number(size_bytes);
      if (!count) return std::nullopt;
      return Item{0, *count * each, each == 2, false};
    };
    switch (first) {
      case 0xc4: return sized(1, false);
      case 0xc5: return sized(2, false);
      case 0xc6: return sized(4, false);
      case 0xca: return Item{4, 0, false, false};
      case 0xcb: return Item{8, 0, false, false};
      case 0xcc:
      case 0xd0: return Item{1, 0, false, false};
      case 0xcd:
      case 0xd1: return Item{2, 0, false, false};
      case 0xce:
      case 0xd2: return Item{4, 0, false, false};
      case 0xcf:
      case 0xd3: return Item{8, 0, false, false};
      case 0xd9: return sized(1, true);
      case 0xda: return sized(2, true);
      case 0xdb: return sized(4, true);
      case 0xdc: return holding(2, 1);
      case 0xdd: return holding(4, 1);
      case 0xde: return holding(2, 2);
      case 0xdf: return holding(4, 2);
      default: return std::nullopt;
    }
  }

  // Most significant byte first.
  std::optional<std::uint64_t> number(int size_bytes) {
    const auto bytes = take(static_cast<std::size_t>(size_bytes));
    if (!bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : *bytes) value = value * 256 + static_cast<unsigned char>(c);
    return value;
  }

  std::string_view rest_;
};

std::optional<std::string_view> take_string(Walker& walker) {
  const std::optional<Item> item = walker.head();
  if (!item || !item->is_string) return std::nullopt;
  return walker.take(item->body);
}

}  // namespace

std::optional<std::string> peek_text(std::string_view bytes, std::string_view key) {
  Walker walker(bytes);
  const std::optional<Item> map = walker.head();
  if (!map || !map->is_map) return std::nullopt;
  for (std::uint64_t i = 0; i < map->parts; i += 2) {
    const std::optional<std::string_view> found = take_string(walker);
    if (!found) return std::nullopt;
    if (*found == key) {
      const std::optional<std::string_view> text = take_string(walker);
      return text ? std::optional(std::string(*text)) : std::nullopt;
    }
    if (!walker.skip()) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace compositord::msg
