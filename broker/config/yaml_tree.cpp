#include "broker/config/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <utility>

namespace compositord::broker {

namespace {

constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kNodesMax = 10'000;

TextPosition position(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::size_t>(std::max(mark.line, 0)), static_cast<std::size_t>(std::max(mark.column, 0))};
}

class Converter {
 public:
  // False when a bound is broken; fault() then says which.
  bool convert(const YAML::Node& from, std::size_t depth, YamlNode& to) {
    to.at = position(from.Mark());
    if (depth > kDepthMax) return refuse(to.at, fmt::format("nested deeper than {} levels", kDepthMax));
    if (++nodes_ > kNodesMax) return refuse(to.at, fmt::format("more than {} values", kNodesMax));
    if (from.IsScalar()) {
      to.kind = YamlNode::Kind::kScalar;
      to.scalar = from.Scalar();
      to.is_quoted = from.Tag() == "!";  // yaml-cpp's mark of quotes; plain ones have "?"
    } else if (from.IsSequence()) {
      to.kind = YamlNode::Kind::kList;
      for (const auto& item : from) {
        if (!convert(item, depth + 1, to.items.emplace_back())) return false;
      }
    } else if (from.IsMap()) {
      to.kind = YamlNode::Kind::kMap;
      for (const auto& pair : from) {
        YamlNode::Entry& entry = to.entries.emplace_back();
        if (!convert(pair.first, depth + 1, entry.key) || !convert(pair.second, depth + 1, entry.value)) return false;
      }
    }
    return true;
  }
  Diagnostic& fault() { return fault_; }

 private:
  bool refuse(TextPosition at, std::string text) {
    fault_ = {at, std::move(text), {}};
    return false;
  }
  std::size_t nodes_ = 0;
  Diagnostic fault_;
};

}  // namespace

std::string_view kind_name(YamlNode::Kind kind) noexcept {
  switch (kind) {
    case YamlNode::Kind::kNothing: return "nothing";
    case YamlNode::Kind::kScalar: return "a single value";
    case YamlNode::Kind::kList: return "a list";
    case YamlNode::Kind::kMap: return "a section";
  }
  return "nothing";
}

tl::expected<YamlNode, Diagnostic> parse_yaml(std::string_view text) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    YamlNode root;
    if (documents.empty()) return root;
    if (documents.size() > 1) {
      const TextPosition at = position(documents[1].Mark());
      return tl::unexpected<Diagnostic>({at, "a second document begins: a configuration is one", {}});
    }
    Converter converter;
    if (!converter.convert(documents[0], 0, root)) return tl::unexpected<Diagnostic>(std::move(converter.fault()));
    return root;
  } catch (const YAML::Exception& error) {
    return tl::unexpected<Diagnostic>({position(error.mark), "this is no valid YAML: " + error.msg, {}});
  }
}

}  // namespace compositord::broker
