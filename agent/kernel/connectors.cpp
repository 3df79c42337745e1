#include "agent/kernel/connectors.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <set>

#include "agent/process/file_descriptor.h"
#include "common/msg/manifest.h"

namespace compositord::agent {

namespace {

// What a file holds, up to `bytes_max` and one more; empty when it can't be read.
std::string read_file(const std::string& path, std::size_t bytes_max) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> buffer{};
  while (file.is_open() && text.size() <= bytes_max) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return text;
}

std::string read_word(const std::string& path) {
  const std::string text = read_file(path, 32);
  return text.substr(0, text.find('\n'));
}

Plug plug_of(const std::string& word) {
  if (word == "connected") return Plug::kConnected;
  if (word == "disconnected") return Plug::kDisconnected;
  return Plug::kUnknown;
}

Connector read_connector(const std::string& folder) {
  Connector connector;
  connector.plug = plug_of(read_word(folder + "/status"));
  connector.enabled = read_word(folder + "/enabled") == "enabled";
  if (connector.plug == Plug::kDisconnected) return connector;
  const std::string bytes = read_file(folder + "/edid", kEdidBytesMax);
  if (bytes.empty()) return connector;  // a virtual one, or an old monitor
  auto edid = parse_edid(bytes);
  if (edid) {
    connector.edid = std::move(*edid);
    connector.edid_hash = msg::content_hash(msg::Value(msg::Binary{bytes}));
  } else {
    connector.trouble = edid.error().text;
  }
  return connector;
}

// "HDMI-A-1" of "card0-HDMI-A-1"; empty for "card0", "renderD128" and "version".
std::string connector_name(const std::string& entry) {
  const std::size_t dash = entry.find('-');
  return entry.starts_with("card") && dash != std::string::npos ? entry.substr(dash + 1) : std::string();
}

}  // namespace

Connectors read_connectors(const std::string& folder) {
  Connectors connectors;
  std::set<std::string> twice;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = connector_name(entry->path().filename().string());
    if (name.empty() || connectors.size() >= kConnectorsMax) continue;
    if (!connectors.emplace(name, read_connector(entry->path().string())).second) twice.insert(name);
  }
  for (const std::string& name : twice) connectors.erase(name);
  return connectors;
}

}  // namespace compositord::agent
