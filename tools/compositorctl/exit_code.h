#pragma once
// How a call of compositorctl ended, for scripts: the one table of exit codes. compositorctl(1) and --help show the same
// table; a test compares them.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace compositord::ctl {

enum class ExitCode : std::uint8_t {
  kDone = 0,
  kLocal = 1,
  kUsage = 2,
  kRefused = 3,
  kNotConnected = 4,
  kTimeout = 5,
  kGone = 6,
  kFailed = 7,
  kUnsupported = 8,
  kNoBroker = 9,
  kInterrupted = 130,  // 128 + SIGINT, as shells count
};

struct ExitCodeInfo {
  ExitCode code;
  std::string_view statuses;  // of the bus, that end so; empty when none does
  std::string_view meaning;
};

inline constexpr std::size_t kExitCodeCount = 11;
// Ascending.
const std::array<ExitCodeInfo, kExitCodeCount>& exit_code_table() noexcept;

// The exit code of a reply's status, also of one that this program doesn't know by name.
ExitCode exit_code_of(std::uint16_t status) noexcept;

constexpr int to_number(ExitCode code) noexcept { return static_cast<int>(code); }

// Why a command did not do its work, for standard error. It may hold what the network said: whoever prints it escapes it.
struct Failure {
  ExitCode code = ExitCode::kLocal;
  std::string text;                // a sentence; empty when there is nothing to say
  std::vector<std::string> hints;  // a line for each
};

template <class T>
using Outcome = tl::expected<T, Failure>;

tl::unexpected<Failure> give_up(ExitCode code, std::string text);
// How a command ends whose last work was to print.
Outcome<ExitCode> done(const Outcome<void>& printed);

}  // namespace compositord::ctl
