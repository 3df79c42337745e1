#pragma once
// What nobody could be told: a file with one JSON object a line, for a person to read and for a script to send again.
//
//   {"at": "2026-11-21T20:18:40.123Z", "notifier": "ops", "attempts": 10, "error": "HTTP 500 from …", "dedupe": …, "alert": {…}}
//
// <directory>/dead-letters.jsonl; when it would grow beyond a maximum it is renamed to dead-letters.1.jsonl, whose place it takes.

#include <cstddef>
#include <filesystem>

#include "broker/notify/notification.h"
#include "common/base/instant.h"
#include "common/base/result.h"

namespace compositord::broker {

class DeadLetters {
 public:
  static constexpr std::size_t kBytesMax = 4U << 20U;
  explicit DeadLetters(std::filesystem::path directory, std::size_t bytes_max = kBytesMax);

  // Appends a line and waits until it is on disk. Errors: kStore.
  Result<void> write(const Notification& notification, const Delivered& end, UnixMs now);

 private:
  std::filesystem::path directory_;
  std::size_t bytes_max_;
};

}  // namespace compositord::broker
