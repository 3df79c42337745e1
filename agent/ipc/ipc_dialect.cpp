#include "agent/ipc/ipc_dialect.h"

namespace compositord::agent {

Result<KnownOutput> IpcDialect::find(const OutputCommand& command, const std::vector<KnownOutput>& outputs) const {
  return find_output(command, outputs, compositor());
}

bool IpcDialect::shows_wish(const OutputCommand& command, const KnownOutput& output) const {
  return shows(command, output);
}

}  // namespace compositord::agent
