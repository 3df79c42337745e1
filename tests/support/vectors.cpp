#include "tests/support/vectors.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fmt/format.h>

namespace compositord::test {

namespace fs = std::filesystem;

namespace {

VectorFile read(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  Result<msg::Value> content = msg::decode_json(text.str());
  if (!in || !content) throw std::runtime_error("can't read " + path.string());
  return {path.filename().string(), std::move(*content)};
}

unsigned digit(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto place = kDigits.find(c);
  if (place == std::string_view::npos) throw std::runtime_error("not a hexadecimal digit");
  return static_cast<unsigned>(place);
}

template <class T>
const T& existing(const T* part, std::string_view key) {
  if (part == nullptr) throw std::runtime_error("a vector lacks " + std::string(key));
  return *part;
}

}  // namespace

std::vector<VectorFile> read_vector_files() {
  std::vector<VectorFile> files;
  for (const auto& entry : fs::directory_iterator(COMPOSITORD_VECTORS_DIR)) {
    if (entry.path().extension() == ".json") files.push_back(read(entry.path()));
  }
  std::sort(files.begin(), files.end(), [](const VectorFile& a, const VectorFile& b) { return a.name < b.name; });
  return files;
}

VectorFile read_vector_file(std::string_view name) { return read(fs::path(COMPOSITORD_VECTORS_DIR) / name); }

const msg::Value& at(const msg::Value& map, std::string_view key) { return existing(map.find(key), key); }

const msg::Value::Array& array_at(const msg::Value& map, std::string_view key) {
  return existing(at(map, key).if_array(), key);
}

std::string text_at(const msg::Value& map, std::string_view key) { return existing(at(map, key).if_string(), key); }

std::string text_or_none(const msg::Value& map, std::string_view key) {
  return map.find(key) == nullptr ? std::string() : text_at(map, key);
}

bool bool_at(const msg::Value& map, std::string_view key) { return existing(at(map, key).if_bool(), key); }

wire::Frames frames_at(const msg::Value& map, std::string_view key) {
  wire::Frames frames;
  if (map.find(key) == nullptr) return frames;
  for (const msg::Value& frame : array_at(map, key)) frames.push_back(from_hex(existing(frame.if_string(), key)));
  return frames;
}

std::string from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) throw std::runtime_error("half a byte of hexadecimal");
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

}  // namespace compositord::test
