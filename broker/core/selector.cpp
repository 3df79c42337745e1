#include "broker/core/selector.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "broker/core/compositor_table.h"
#include "common/base/glob.h"

namespace compositord::broker {

namespace {

constexpr std::size_t kPatternsMax = 64;  // of each sort: matching takes time for each of them
constexpr std::array<std::string_view, 6> kFacts{"compositor", "version", "verdict", "link", "process", "progress"};

std::string fact_of(const Compositor& c, std::string_view fact) {
  if (fact == "compositor") return c.name;
  if (fact == "version") return c.version;
  if (fact == "verdict") return std::string(name_of(c.status.verdict));
  if (fact == "link") return std::string(name_of(c.status.link.state));
  if (fact == "process") return std::string(name_of(c.status.process.state));
  return std::string(name_of(c.status.progress.state));
}

Result<void> read_patterns(const msg::Value& value, std::string_view key,
                           std::map<std::string, std::string>& patterns) {
  const msg::Value* found = value.find(key);
  if (found == nullptr || found->is_null()) return {};
  if (!found->is_map()) return fail(Status::kMalformed, fmt::format("selector.{}: a map expected", key));
  for (const auto& [name, pattern] : *found->if_map()) {
    if (!pattern.is_string())
      return fail(Status::kMalformed, fmt::format("selector.{}.{}: a string expected", key, name));
    patterns.emplace(name, *pattern.if_string());
  }
  if (patterns.size() <= kPatternsMax) return {};
  return fail(Status::kTooLarge, fmt::format("selector.{}: more than {} entries", key, kPatternsMax));
}

Result<void> read_ids(const msg::Value& value, std::vector<std::string>& ids) {
  const msg::Value* found = value.find("ids");
  if (found == nullptr || found->is_null()) return {};
  if (!found->is_array()) return fail(Status::kMalformed, "selector.ids: an array expected");
  for (const msg::Value& id : *found->if_array()) {
    if (!id.is_string()) return fail(Status::kMalformed, "selector.ids: strings expected");
    ids.push_back(*id.if_string());
  }
  if (ids.size() <= kPatternsMax) return {};
  return fail(Status::kTooLarge, fmt::format("selector.ids: more than {} entries", kPatternsMax));
}

}  // namespace

Result<Selector> parse_selector(const msg::Value& value) {
  if (!value.is_map()) return fail(Status::kMalformed, "selector: a map expected");
  Selector selector;
  for (const Result<void>& read : {read_ids(value, selector.ids), read_patterns(value, "labels", selector.labels),
                                   read_patterns(value, "facts", selector.facts)}) {
    if (!read) return tl::unexpected<Error>(read.error());
  }
  for (const auto& entry : selector.facts) {
    if (std::find(kFacts.begin(), kFacts.end(), entry.first) != kFacts.end()) continue;
    return fail(Status::kMalformed, fmt::format("selector.facts: there is no fact \"{}\" ({})",
                                                escape_for_log(entry.first, 64), fmt::join(kFacts, ", ")));
  }
  // An empty one is rather a mistake than the wish to command every screen there is; that is {"ids": ["*"]}.
  if (selector.ids.empty() && selector.labels.empty() && selector.facts.empty()) {
    return fail(Status::kMalformed, "selector: ids, labels or facts expected; all compositors are {\"ids\": [\"*\"]}");
  }
  return selector;
}

bool matches(const Selector& selector, const std::string& id, const std::map<std::string, std::string>& labels) {
  const auto is_mine = [&](const std::string& pattern) { return glob_matches(pattern, id); };
  if (!selector.ids.empty() && std::none_of(selector.ids.begin(), selector.ids.end(), is_mine)) return false;
  return std::all_of(selector.labels.begin(), selector.labels.end(), [&](const auto& wanted) {
    const auto label = labels.find(wanted.first);
    return label != labels.end() && glob_matches(wanted.second, label->second);
  });
}

Result<std::optional<Selector>> read_selector(const msg::Value& params) {
  const msg::Value* value = params.find("selector");
  if (value == nullptr || value->is_null()) return std::optional<Selector>();
  Result<Selector> selector = parse_selector(*value);
  if (!selector) return tl::unexpected<Error>(selector.error());
  return std::optional(std::move(*selector));
}

bool matches(const Selector& selector, const Compositor& c) {
  if (!matches(selector, c.status.id, c.status.labels)) return false;
  return std::all_of(selector.facts.begin(), selector.facts.end(),
                     [&](const auto& fact) { return glob_matches(fact.second, fact_of(c, fact.first)); });
}

}  // namespace compositord::broker
