#pragma once
// One record of a trace <-> bytes. A trace holds all that went into the broker's core, so that it can be run again; of what came
// out it holds digests, so that the second run can be proven to be the same. Nothing here touches a file.
//
// A file is the line kTraceMagic and then records:
//
//   | bytes | what                                                                                          |
//   |-------|-----------------------------------------------------------------------------------------------|
//   | 4     | length of the body, little-endian                                                             |
//   | 4     | the same, every bit inverted: a damaged length isn't taken for a file that was cut off        |
//   | 8     | FNV-1a of the body, little-endian                                                             |
//   | …     | body: a MessagePack array, its first item the kind. Bytes of peers are "bin", never "str"     |
//
//   | kind         | further items                                                        | when                  |
//   |--------------|----------------------------------------------------------------------|-----------------------|
//   | "header"     | software version, epoch, map of the BrokerConfig                     | first, once           |
//   | "compositor" | a CompositorRecord's members in their order                          | one per stored record |
//   | "job"        | a JobRecord's members in their order                                 | one per stored record |
//   | "alert"      | an AlertRecord's members in their order                              | one per stored record |
//   | "window"     | a WindowRecord's members in their order                              | one per stored record |
//   | "load"       | instant (ns)                                                         | load() is called      |
//   | "input"      | instant (ns), the Input's name, its members in their order           | before each step      |
//   | "outputs"    | digest, number of outputs                                            | after each step       |
//
// An input stands before its step and its outputs behind it: the last record of a broker that crashed is what killed it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "broker/core/broker_config.h"
#include "broker/core/input.h"
#include "broker/core/record.h"
#include "broker/trace/outputs_digest.h"
#include "common/base/instant.h"
#include "common/base/result.h"
#include "common/msg/value.h"

namespace compositord::broker {

inline constexpr std::string_view kTraceMagic = "compositord trace 2\n";  // the 2 is the version of the format
inline constexpr std::size_t kRecordHeadBytes = 16;

struct TraceHeader {
  std::string software;  // the version that recorded it; another one may decide otherwise
  std::uint64_t epoch = 0;
  BrokerConfig config;
};
struct TraceLoad {
  Instant at;
};
struct TraceInput {
  Instant at;
  Input input;
};

using TraceRecord = std::variant<TraceHeader, CompositorRecord, JobRecord, AlertRecord, WindowRecord, TraceLoad,
                                 TraceInput, OutputsDigest>;

// Bodies of records; record_bytes.h puts the head before one.
std::string serialize(const TraceHeader& header);
std::string serialize(const CompositorRecord& record);
std::string serialize(const JobRecord& record);
std::string serialize(const AlertRecord& record);
std::string serialize(const WindowRecord& record);
// History is not loaded: these are only for the digest of what was written.
std::string serialize(const ManifestRevision& record);
std::string serialize(const StatusChange& record);
std::string serialize(const BrokerRun& record);
std::string serialize(const TraceLoad& load);
std::string serialize(const OutputsDigest& digest);
std::string serialize_input(Instant at, const Input& input);

struct RecordHead {
  std::uint32_t body_bytes = 0;
  std::uint64_t checksum = 0;
};
// Errors: kMalformed when the two lengths don't fit each other.
Result<RecordHead> parse_head(const std::array<char, kRecordHeadBytes>& bytes);
// As many values as there are bytes, for each takes one at least: what was written can be read, however much the store answered.
msg::DecodeLimits limits_of_body(std::size_t bytes) noexcept;
// Errors: kMalformed for a checksum that isn't the body's, and for a body that this program doesn't know.
Result<TraceRecord> parse_body(const RecordHead& head, std::string_view body);

// "received", "store-done", … as traces name it.
std::string_view input_name(const Input& input) noexcept;

}  // namespace compositord::broker
