#pragma once
// What one command wants of the outputs: the one wish of output.mode, output.scale …, or the several of output.configure,
// which belong together. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "agent/output/output_command.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::agent {

struct OutputRequest {
  std::vector<OutputCommand> wishes;  // those for one output are neighbours; only of output.add there may be none
  bool several = false;               // of output.configure: its result has lists of outputs
  bool adds = false;                  // of output.add: the wishes are for an output that is yet to be made
  std::string added;                  // its name, when that is known

  // From now on its wishes are for this output.
  void set_added(const std::string& name);
};

inline constexpr std::string_view kAddName = "output.add";
inline constexpr std::string_view kConfigureName = "output.configure";
inline constexpr std::size_t kConfiguredOutputsMax = 64;

// `method`: one of kOutputMethodNames, kAddName with what the new output shall be, or kConfigureName with
// {"outputs": [{"output", "enabled"?, "width_px"?, …}, …]}. Errors: as
// parse_output_command(), with the place in the list.
Result<OutputRequest> parse_output_request(const std::string& method, const msg::Value& params);

// Each output of the request once, as it is, in the request's order. Errors: as find_output().
Result<std::vector<KnownOutput>> find_outputs(const OutputRequest& request, const std::vector<KnownOutput>& outputs,
                                              std::string_view compositor);
// Those of them that are still there.
std::vector<KnownOutput> outputs_of(const OutputRequest& request, const std::vector<KnownOutput>& outputs);

// Whether the output is to be switched on or off.
bool switches(const OutputRequest& request, const std::string& output);
// Whether all wishes are seen; an output that isn't there shows none.
bool shows(const OutputRequest& request, const std::vector<KnownOutput>& outputs);
// The result's "before" or "after": the output's fields, or the list of all that are there. Null when none is.
msg::Value request_fields(const OutputRequest& request, const std::vector<KnownOutput>& outputs);

}  // namespace compositord::agent
