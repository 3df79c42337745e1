#include "broker/trace/trace_reader.h"

#include <array>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "common/base/log_event.h"

namespace compositord::broker {

Result<TraceReader> TraceReader::open(const std::filesystem::path& path) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return fail(Status::kNotFound, fmt::format("{} can't be read as a file", path.string()));
  std::string magic(kTraceMagic.size(), '\0');
  file.read(magic.data(), static_cast<std::streamsize>(magic.size()));
  if (!file || !magic.starts_with(kTraceMagic.substr(0, kTraceMagic.size() - 2))) {
    return fail(Status::kMalformed, fmt::format("{} is no trace of compositord", path.string()));
  }
  if (magic != kTraceMagic) {
    return fail(Status::kMalformed, fmt::format("{} is a trace in format {}, this program reads {}", path.string(),
                                                escape_for_log(magic.substr(magic.size() - 2, 1)),
                                                kTraceMagic.substr(kTraceMagic.size() - 2, 1)));
  }
  return TraceReader(std::move(file), size);
}

TraceReader::TraceReader(std::ifstream file, std::uint64_t size)
    : file_(std::move(file)), size_(size), offset_(kTraceMagic.size()) {}

Result<std::variant<TraceRecord, TraceEnd>> TraceReader::next() {
  const std::uint64_t left = size_ - offset_;
  if (left == 0) return TraceEnd{};
  const auto cut_off = [&] { return TraceEnd{fmt::format("cut off in record {} at byte {}", number_, offset_)}; };
  std::array<char, kRecordHeadBytes> head_bytes{};
  if (left < head_bytes.size() || !read(head_bytes.data(), head_bytes.size())) return cut_off();
  const Result<RecordHead> head = parse_head(head_bytes);
  if (!head) return at_place(head.error());
  // Asked for only when the file has it: a length is never a reason to take memory.
  if (head->body_bytes > left - head_bytes.size()) return cut_off();
  std::string body(head->body_bytes, '\0');
  if (!read(body.data(), body.size())) return cut_off();
  Result<TraceRecord> record = parse_body(*head, body);
  if (!record) return at_place(record.error());
  offset_ += head_bytes.size() + body.size();
  ++number_;
  return std::move(*record);
}

bool TraceReader::read(char* into, std::size_t bytes) {
  file_.read(into, static_cast<std::streamsize>(bytes));
  return static_cast<bool>(file_);
}

tl::unexpected<Error> TraceReader::at_place(const Error& error) const {
  return fail(error.status, fmt::format("record {} at byte {}: {}", number_, offset_, error.text));
}

}  // namespace compositord::broker
