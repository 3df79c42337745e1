#include "broker/core/value_diff.h"

#include <map>
#include <utility>

namespace compositord::broker {

namespace {

using msg::Value;
using Parts = std::map<std::string, const Value*>;

std::optional<Parts> parts_of_map(const Value& value) {
  const Value::Map* map = value.if_map();
  if (map == nullptr) return std::nullopt;
  Parts parts;
  for (const auto& [key, part] : *map) parts.emplace(key, &part);
  return parts;
}

// Nothing when the array's elements do not all have a name, or two have the same.
std::optional<Parts> parts_of_named(const Value& value) {
  const Value::Array* array = value.if_array();
  if (array == nullptr) return std::nullopt;
  Parts parts;
  for (const Value& part : *array) {
    const Value* name = part.find("name");
    if (name == nullptr || !name->is_string()) return std::nullopt;
    if (!parts.emplace(*name->if_string(), &part).second) return std::nullopt;
  }
  return parts;
}

class Differ {
 public:
  explicit Differ(std::size_t changes_max) : changes_max_(changes_max) {}
  ValueDiff take() { return std::move(out_); }

  // As deep as the values: decoders bound that.
  void compare(const std::string& path, const Value& before, const Value& after) {
    if (before == after) return;
    const std::optional<Parts> maps[] = {parts_of_map(before), parts_of_map(after)};
    if (maps[0] && maps[1]) {
      return compare_parts(*maps[0], *maps[1],
                           [&](const std::string& key) { return path.empty() ? key : path + '.' + key; });
    }
    const std::optional<Parts> named[] = {parts_of_named(before), parts_of_named(after)};
    if (named[0] && named[1]) {
      return compare_parts(*named[0], *named[1], [&](const std::string& name) { return path + '[' + name + ']'; });
    }
    add({path, before, after});
  }

 private:
  template <class PathOf>
  void compare_parts(const Parts& before, const Parts& after, PathOf path_of) {
    Parts all = before;
    all.insert(after.begin(), after.end());
    for (const auto& entry : all) {
      const std::string& key = entry.first;
      const auto was = before.find(key);
      const auto is = after.find(key);
      if (was == before.end()) {
        add({path_of(key), std::nullopt, *is->second});
      } else if (is == after.end()) {
        add({path_of(key), *was->second, std::nullopt});
      } else {
        compare(path_of(key), *was->second, *is->second);
      }
      if (out_.more) return;
    }
  }
  void add(ValueChange change) {
    out_.more = out_.changes.size() >= changes_max_;
    if (!out_.more) out_.changes.push_back(std::move(change));
  }

  std::size_t changes_max_;
  ValueDiff out_;
};

}  // namespace

ValueDiff diff(const Value& before, const Value& after, std::size_t changes_max) {
  Differ differ(changes_max);
  differ.compare({}, before, after);
  return differ.take();
}

}  // namespace compositord::broker
