// What comes from a monitor and from a netlink socket: EDIDs and uevents. The first byte chooses.

#include <cstdint>
#include <string_view>

#include "agent/kernel/edid.h"
#include "agent/kernel/uevent.h"
#include "common/base/check.h"
#include "tests/fuzz/fuzz_target.h"

namespace compositord::fuzz {

namespace {

// Neither may bring more than was read, nor bytes that a terminal obeys.
bool is_harmless(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return text.size() <= 1024;
}

void read_edid(std::string_view bytes) {
  const auto edid = agent::parse_edid(bytes);
  if (!edid) return CHECK(!edid.error().text.empty());
  CHECK(is_harmless(edid->make) && is_harmless(edid->model) && is_harmless(edid->serial));
}

void read_uevent(std::string_view bytes) {
  const auto event = agent::parse_uevent(bytes);
  if (!event) return;
  CHECK(is_harmless(event->device) && is_harmless(event->subsystem) && is_harmless(event->wedged));
}

}  // namespace

}  // namespace compositord::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  if (static_cast<unsigned char>(bytes[0]) % 2 == 0) {
    compositord::fuzz::read_edid(bytes.substr(1));
  } else {
    compositord::fuzz::read_uevent(bytes.substr(1));
  }
  return 0;
}
