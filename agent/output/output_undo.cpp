#include "agent/output/output_undo.h"

#include <algorithm>

namespace compositord::agent {

namespace {

const KnownOutput* find_named(const std::vector<KnownOutput>& outputs, const std::string& name) {
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const auto& o) { return o.output.name == name; });
  return found == outputs.end() ? nullptr : &*found;
}

// All that makes an output what it was. A mode comes before what depends on it.
std::vector<OutputCommand> wishes_for(const KnownOutput& before) {
  const msg::Output& o = before.output;
  OutputCommand wish;
  wish.output = o.name;
  wish.scale = o.scale;
  wish.x = o.x;
  wish.y = o.y;
  wish.transform = o.transform;
  std::vector<OutputCommand> wishes;
  const auto add = [&](OutputMethod method) {
    wish.method = method;
    wishes.push_back(wish);
  };
  add(before.active ? OutputMethod::kEnable : OutputMethod::kDisable);
  if (!before.active) return wishes;
  if (o.current_mode) {
    wish.width_px = o.current_mode->width_px;
    wish.height_px = o.current_mode->height_px;
    if (o.current_mode->refresh_mhz != 0) wish.refresh_mhz = o.current_mode->refresh_mhz;  // 0: it doesn't say
    add(OutputMethod::kMode);
  }
  add(OutputMethod::kScale);
  add(OutputMethod::kTransform);
  add(OutputMethod::kPosition);
  return wishes;
}

}  // namespace

void OutputUndo::begin(std::vector<KnownOutput> before, std::optional<OutputCommand> failed) {
  before_ = std::move(before);
  std::reverse(before_.begin(), before_.end());  // what was done last is taken back first
  failed_ = std::move(failed);
  told_.clear();
}

bool OutputUndo::is_forced(const OutputCommand& wish) const {
  if (!failed_ || failed_->output != wish.output) return false;
  switch (failed_->method) {
    case OutputMethod::kEnable: return wish.method == OutputMethod::kDisable;
    case OutputMethod::kDisable: return wish.method == OutputMethod::kEnable;
    default: return wish.method == failed_->method;
  }
}

std::optional<OutputCommand> OutputUndo::next(const std::vector<KnownOutput>& now, const Shows& shows) {
  for (const bool places : {false, true}) {
    for (const KnownOutput& before : before_) {
      const KnownOutput* present = find_named(now, before.output.name);
      if (present == nullptr) continue;
      for (OutputCommand& wish : wishes_for(before)) {
        if ((wish.method == OutputMethod::kPosition) != places) continue;
        if (!is_forced(wish) && shows(wish, *present)) continue;
        if (told_.emplace(wish.output, wish.method).second) return std::move(wish);
      }
    }
  }
  return std::nullopt;
}

bool OutputUndo::is_complete(const std::vector<KnownOutput>& now, const Shows& shows) const {
  return std::all_of(before_.begin(), before_.end(), [&](const KnownOutput& before) {
    const KnownOutput* present = find_named(now, before.output.name);
    if (present == nullptr) return false;
    const std::vector<OutputCommand> wishes = wishes_for(before);
    return std::all_of(wishes.begin(), wishes.end(), [&](const OutputCommand& wish) { return shows(wish, *present); });
  });
}

std::string undo_sentence(bool is_complete) {
  return is_complete ? "; all outputs are as they were before"
                     : "; not all that was done before it could be taken back, see \"after\"";
}

}  // namespace compositord::agent
