#pragma once
// A YAML text as a tree that knows where each thing stands. Everything is kept as written: which scalars are numbers or
// durations is the reader's matter.

#include <string>
#include <string_view>
#include <vector>

#include "broker/config/diagnostics.h"
#include "common/base/result.h"

namespace compositord::broker {

struct YamlNode {
  enum class Kind { kNothing, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNothing;
  TextPosition at;
  bool is_quoted = false;  // a scalar in quotes: text, whatever it looks like
  std::string scalar;
  std::vector<YamlNode> items;
  std::vector<Entry> entries;  // in order, duplicates included
};

struct YamlNode::Entry {
  YamlNode key;
  YamlNode value;
};

// "a number", as error texts name it.
std::string_view kind_name(YamlNode::Kind kind) noexcept;

// The one document of `text`. Errors: what is wrong and where; also when it is nested deeper or has more parts than any
// configuration needs, which bounds what aliases can unfold to.
tl::expected<YamlNode, Diagnostic> parse_yaml(std::string_view text);

}  // namespace compositord::broker
