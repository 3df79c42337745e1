#include "tools/compositorctl/exit_code.h"

#include <utility>

#include "common/base/error_code.h"

namespace compositord::ctl {

const std::array<ExitCodeInfo, kExitCodeCount>& exit_code_table() noexcept {
  static constexpr std::array<ExitCodeInfo, kExitCodeCount> kTable{{
      {ExitCode::kDone, "200 202 304", "done, queued, or still as it was"},
      {ExitCode::kLocal, "", "an error on this side, or an answer that could not be understood"},
      {ExitCode::kUsage, "", "the command line is wrong"},
      {ExitCode::kRefused, "400 401 403 404 409 413 429", "refused; nothing was changed"},
      {ExitCode::kNotConnected, "503", "not connected, or the broker is being stopped; nothing was changed"},
      {ExitCode::kTimeout, "408 504", "the deadline passed; the outcome is unknown unless the text says it"},
      {ExitCode::kGone, "410", "broker, agent or compositor died under the request; the outcome is unknown"},
      {ExitCode::kFailed, "207 500 507", "tried and failed, or failed at some targets; the reply shows which"},
      {ExitCode::kUnsupported, "501", "this compositor can't do that"},
      {ExitCode::kNoBroker, "", "no broker was reached"},
      {ExitCode::kInterrupted, "", "stopped by SIGINT or SIGTERM before the answer came"},
  }};
  return kTable;
}

ExitCode exit_code_of(std::uint16_t status) noexcept {
  switch (static_cast<Status>(status)) {
    case Status::kNotConnected: return ExitCode::kNotConnected;
    case Status::kTimeout:
    case Status::kDeadline: return ExitCode::kTimeout;
    case Status::kGone: return ExitCode::kGone;
    case Status::kUnsupported: return ExitCode::kUnsupported;
    default: break;
  }
  if (is_success(static_cast<Status>(status))) return ExitCode::kDone;
  return status >= 400 && status < 500 ? ExitCode::kRefused : ExitCode::kFailed;
}

tl::unexpected<Failure> give_up(ExitCode code, std::string text) {
  return tl::unexpected<Failure>(Failure{code, std::move(text), {}});
}

Outcome<ExitCode> done(const Outcome<void>& printed) {
  if (!printed) return tl::unexpected<Failure>(printed.error());
  return ExitCode::kDone;
}

}  // namespace compositord::ctl
