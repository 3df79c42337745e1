#pragma once
// A damaged store's files, moved out of the way under another name. They are never deleted: `sqlite3 FILE .recover` may still
// read some of what is in them.

#include <filesystem>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace compositord::broker {

// A disk that damages the store again and again must not be filled by what is set aside.
constexpr std::size_t kSetAsideMax = 5;

// Renames `file`, `file`-wal and `file`-shm, those that there are, to `file`.corrupt-<UTC time> and the same endings, so that
// SQLite still finds the log of the file; a log without a byte goes. Returns the new name. Nobody in this process may have it open.
// Errors: kConflict when another program has it open; kLimit when kSetAsideMax are there already; kStore and why, as with a
// disk that is read-only. Nothing is renamed then.
Result<std::filesystem::path> set_aside(const std::filesystem::path& file);

// What was set aside of `file` and is still there, the oldest first. Their names, without the endings of their logs.
std::vector<std::string> files_set_aside(const std::filesystem::path& file);

}  // namespace compositord::broker
