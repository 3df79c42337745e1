#pragma once
// Questions to the bus that several commands have.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/msg/manifest.h"
#include "common/msg/status.h"
#include "tools/compositorctl/bus_client.h"

namespace compositord::ctl {

// All entries of a list that the bus gives in pages. Failures: kLocal when the answer has another form or never ends.
Outcome<std::vector<msg::Value>> fetch_all(BusClient& bus, const std::string& service, const std::string& method,
                                           const msg::Value& params = msg::Value::map());

// What bus.manifest says beside a manifest: whose it is and how fresh.
struct Freshness {
  std::string id;
  std::string link;
  UnixMs last_seen;    // of the agent
  UnixMs observed_at;  // of the manifest
  std::int64_t age_ms = 0;
  std::string hash;
  std::uint64_t revision = 0;
  bool stored = true;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("id", m.id);
    v.optional("link", m.link);
    v.optional("last_seen", m.last_seen);
    v.optional("observed_at", m.observed_at);
    v.optional("age_ms", m.age_ms);
    v.optional("hash", m.hash);
    v.optional("revision", m.revision);
    v.optional("stored", m.stored);
  }
};

struct KnownManifest {
  Freshness freshness;
  msg::Manifest manifest;
  msg::Value raw;  // the whole result
};

// The answer as a T. Failures: kLocal, naming `what`.
template <class T>
Outcome<T> read_as(const msg::Value& value, std::string_view what) {
  Result<T> parsed = msg::from_value<T>(value);
  if (!parsed) return give_up(ExitCode::kLocal, std::string(what) + " could not be understood: " + parsed.error().text);
  return std::move(*parsed);
}

// Failures: as ask(); for an id that the bus doesn't know, the text names those that it knows.
Outcome<msg::Value> fetch_status(BusClient& bus, const std::string& id);
// Nothing, when the compositor has registered but never been described.
Outcome<std::optional<KnownManifest>> fetch_manifest(BusClient& bus, const std::string& id);

// When no compositor that the bus knows is selected by that: a text for people that says so. Else empty.
Outcome<std::string> nobody_fits_text(BusClient& bus, const std::vector<std::string>& ids,
                                      const std::vector<std::string>& labels);

// "did you mean wall-3/wayland-1? The bus knows …", for people.
std::string known_ids_text(std::string_view wanted, const std::vector<std::string>& ids);

}  // namespace compositord::ctl
