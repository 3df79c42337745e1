#pragma once
// Reads a trace from a file, record by record, and tells a file that was cut off from one that was damaged.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>

#include "broker/trace/trace_format.h"
#include "common/base/result.h"

namespace compositord::broker {

// The end of the file, where a record could have begun.
struct TraceEnd {
  // Less than a record stands behind the last whole one: the broker was killed while it wrote. Empty otherwise.
  std::string cut_off;
};

class TraceReader {
 public:
  // Errors: kNotFound when it can't be opened, kMalformed for what is no trace, or one in a format of another version.
  static Result<TraceReader> open(const std::filesystem::path& path);

  // The next record. Errors: kMalformed for a damaged one, with its place; nothing behind it can be trusted.
  Result<std::variant<TraceRecord, TraceEnd>> next();

 private:
  TraceReader(std::ifstream file, std::uint64_t size);
  bool read(char* into, std::size_t bytes);
  tl::unexpected<Error> at_place(const Error& error) const;

  std::ifstream file_;
  std::uint64_t size_;
  std::uint64_t offset_ = 0;  // of the next record in the file
  std::uint64_t number_ = 0;  // of the next record, from 0
};

}  // namespace compositord::broker
