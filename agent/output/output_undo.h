#pragma once
// Takes back what was done of a request that failed half-way, where a compositor has no configurations that it takes as a whole:
// sway 1.7 applies also those of wlr-output-management one output after the other and keeps what it has done when a later one
// fails (output_manager_apply() in its sway/desktop/output.c), and RandR changes one CRTC at a time. Pure: who tells the
// compositor and reads back is a runner's own.

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/output/output_command.h"

namespace compositord::agent {

class OutputUndo {
 public:
  using Shows = std::function<bool(const OutputCommand&, const KnownOutput&)>;

  // `before`: the request's outputs as they were. `failed`: a wish whose opposite is told even if it seems not to have been done,
  // because the compositor keeps it for later: sway then refuses every other change of that output.
  void begin(std::vector<KnownOutput> before, std::optional<OutputCommand> failed = std::nullopt);
  // What is to be told next, each at most once; none when all is as it was, or nothing is left to be tried. Places come last:
  // an output that the compositor has placed itself moves back by itself when its neighbours are what they were.
  std::optional<OutputCommand> next(const std::vector<KnownOutput>& now, const Shows& shows);
  // Whether all outputs are as they were.
  bool is_complete(const std::vector<KnownOutput>& now, const Shows& shows) const;

 private:
  bool is_forced(const OutputCommand& wish) const;

  std::vector<KnownOutput> before_;
  std::optional<OutputCommand> failed_;
  std::set<std::pair<std::string, OutputMethod>> told_;
};

// The end of the failed request's sentence.
std::string undo_sentence(bool is_complete);

}  // namespace compositord::agent
