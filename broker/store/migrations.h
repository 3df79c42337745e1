#pragma once
// The schema of the store, as the numbered steps that lead to it. A step that was ever released is never edited: a change
// of the schema is a new step at the end. The number of the last step done is kept in the file (PRAGMA user_version).

#include <span>

namespace compositord::broker {

struct Migration {
  int version = 0;  // the schema version that this step leads to: 1, 2, 3, … without gaps
  const char* sql = nullptr;
};

// All steps, ascending.
std::span<const Migration> store_migrations() noexcept;

}  // namespace compositord::broker
