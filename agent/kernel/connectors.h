#pragma once
// The connectors of the graphics cards as the kernel sees them: whether a cable is in, and which monitor is at its end.
// Source: the kernel's Documentation/ABI/testing/sysfs-class-drm and drivers/gpu/drm/drm_sysfs.c.

#include <map>
#include <string>

#include "agent/kernel/edid.h"

namespace compositord::agent {

enum class Plug { kUnknown, kConnected, kDisconnected };

struct Connector {
  Plug plug = Plug::kUnknown;
  bool enabled = false;  // it is driven with a picture
  Edid edid;             // empty fields without one
  std::string edid_hash;
  std::string trouble;  // why its EDID is of no use, a sentence; empty without one
  friend bool operator==(const Connector&, const Connector&) = default;
};

// By the name that compositors give the output, too: "HDMI-A-1". The kernel counts connectors over all cards; should a name
// occur twice all the same, nobody can say which one is meant, and it is left out.
using Connectors = std::map<std::string, Connector>;

inline constexpr std::size_t kConnectorsMax = 64;

// Reads FOLDER/card*-*/{status,enabled,edid}; what can't be read stays unknown. Blocks: the kernel gives an EDID only while no
// driver changes modes or asks a monitor. Therefore only ConnectorReader's thread calls it.
Connectors read_connectors(const std::string& folder);

}  // namespace compositord::agent
