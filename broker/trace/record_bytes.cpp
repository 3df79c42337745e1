#include "broker/trace/record_bytes.h"

#include <fmt/format.h>

#include "broker/trace/outputs_digest.h"
#include "broker/trace/trace_format.h"

namespace compositord::broker {

namespace {

void put_number(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((number >> (8 * i)) & 0xffU);
}

std::uint64_t number_at(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return number;
}

}  // namespace

std::uint64_t checksum_of(std::string_view body) {
  Fnv fnv;
  fnv.add(body);
  return fnv.value();
}

Result<std::string> whole_record(std::string_view body) {
  if (body.size() > kBodyBytesMax) {
    return fail(Status::kTooLarge, fmt::format("a record of {} MiB is more than the {} MiB that one may have",
                                               (body.size() >> 20U) + 1, kBodyBytesMax >> 20U));
  }
  std::string out;
  out.reserve(kRecordHeadBytes + body.size());
  const auto length = static_cast<std::uint32_t>(body.size());
  put_number(out, length, 4);
  put_number(out, ~length, 4);
  put_number(out, checksum_of(body), 8);
  return out += body;
}

Result<RecordHead> parse_head(const std::array<char, kRecordHeadBytes>& bytes) {
  const std::string_view all(bytes.data(), bytes.size());
  const auto length = static_cast<std::uint32_t>(number_at(all.substr(0, 4)));
  const auto inverted = static_cast<std::uint32_t>(number_at(all.substr(4, 4)));
  if (length != ~inverted) return fail(Status::kMalformed, "the length of a record is damaged");
  return RecordHead{length, number_at(all.substr(8))};
}

}  // namespace compositord::broker
