#pragma once
// What the driver tests saw, for the support matrix in README.md: recorded where it was asserted, never written by hand.
//
// Call these behind the assertions; a test that has failed records nothing. Each fact must be what
// tests/integration/support_matrix.json says, or the test fails and names the command that makes the file and the README anew.
// That command sets COMPOSITORD_SUPPORT_FACTS to a folder: then facts go to a file there, one JSON object a line, and are
// compared with nothing. Each process has a file of its own, because tests run side by side.

#include <string>
#include <string_view>

#include "tests/support/driver_loop.h"

namespace compositord::test {

// Something of the compositor's life: "up", "frozen", "killed", "ended", "back".
void record_seen(const DriverLoop& loop, std::string_view fact);

// How a command ended: 200 is "read back", 500 "fails" with what was said, 501 "refused" with the reason. Any other end is no
// fact about the compositor, and fails the test. Of one command one end may be recorded: the one that matters to users.
void record_command(const DriverLoop& loop, std::string_view method,
                    const agent::driver_event::CommandFinished& finished);

// Executes every command that the manifest calls unsupported, expects 501 with the manifest's reason, and records that; not of `elsewhere`,
// which another test records under other conditions.
void expect_and_record_refusals(DriverLoop& loop, const std::string& output, std::string_view elsewhere = {});

}  // namespace compositord::test
