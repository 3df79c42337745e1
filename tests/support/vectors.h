#pragma once
// The golden vectors of schemas/vectors: one JSON file per subject, bytes in hexadecimal.

#include <string>
#include <string_view>
#include <vector>

#include "common/msg/value.h"
#include "common/wire/frames.h"

namespace compositord::test {

struct VectorFile {
  std::string name;  // "mdp02_worker_ready.json"
  msg::Value content;
};

// Every vector file, by name. Throws when one can't be read: a test then fails.
std::vector<VectorFile> read_vector_files();
VectorFile read_vector_file(std::string_view name);

// Parts of a vector. Each throws when there is none, but text_or.
const msg::Value& at(const msg::Value& map, std::string_view key);
const msg::Value::Array& array_at(const msg::Value& map, std::string_view key);
std::string text_at(const msg::Value& map, std::string_view key);
std::string text_or_none(const msg::Value& map, std::string_view key);
bool bool_at(const msg::Value& map, std::string_view key);
// The frames that an entry holds as hexadecimal; none when it isn't there.
wire::Frames frames_at(const msg::Value& map, std::string_view key);

std::string from_hex(std::string_view hex);
std::string to_hex(std::string_view bytes);

}  // namespace compositord::test
