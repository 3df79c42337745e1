#include "tools/compositorctl/selection.h"

#include <algorithm>
#include <map>

#include "common/base/glob.h"

namespace compositord::ctl {

namespace {

bool fits(const std::vector<std::string>& patterns, const std::string& id) {
  const auto matches = [&](const std::string& pattern) { return glob_matches(pattern, id); };
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), matches);
}

// Only the value is a pattern, as in the broker's selectors.
bool has_all(const std::vector<std::string>& pairs, const std::map<std::string, std::string>& labels) {
  return std::all_of(pairs.begin(), pairs.end(), [&](const std::string& pair) {
    const std::size_t equals = pair.find('=');
    const auto it = labels.find(pair.substr(0, equals));
    return it != labels.end() && glob_matches(pair.substr(equals + 1), it->second);
  });
}

}  // namespace

msg::Value map_of(const std::vector<std::string>& pairs) {
  msg::Value map = msg::Value::map();
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    map.set(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return map;
}

msg::Value selector_of(const std::vector<std::string>& ids, const std::vector<std::string>& labels) {
  if (ids.empty() && labels.empty()) return {};
  msg::Value selector = msg::Value::map();
  if (!ids.empty()) {
    msg::Value patterns = msg::Value::array();
    for (const std::string& id : ids) patterns.push(id);
    selector.set("ids", std::move(patterns));
  }
  if (!labels.empty()) selector.set("labels", map_of(labels));
  return selector;
}

bool is_selected(const msg::Status& status, const std::vector<std::string>& ids,
                 const std::vector<std::string>& labels) {
  return fits(ids, status.id) && has_all(labels, status.labels);
}

bool is_selected(const msg::Alert& alert, const std::vector<std::string>& ids, const std::vector<std::string>& labels) {
  return fits(ids, alert.id) && has_all(labels, alert.labels);
}

}  // namespace compositord::ctl
