// ls, show and manifest: what the bus knows.

#include <map>

#include <fmt/format.h>

#include "common/base/clock.h"
#include "tools/compositorctl/fleet.h"
#include "tools/compositorctl/manifest_text.h"
#include "tools/compositorctl/selection.h"
#include "tools/compositorctl/session.h"
#include "tools/compositorctl/status_text.h"
#include "tools/compositorctl/text.h"

namespace compositord::ctl {

namespace {

// An entry of bus.manifest list, as far as ls shows it.
struct Described {
  std::string id;
  std::string name;
  std::string version;

  template <class Self, class V>
  static void fields(Self& m, V& v) {
    v("id", m.id);
    v.optional("name", m.name);
    v.optional("version", m.version);
  }
};

struct Listing {
  msg::Value json = msg::Value::array();
  Table table{{"ID", "VERDICT", "LINK", "PROCESS", "PROGRESS", "OUTPUTS", "COMPOSITOR", "SINCE", "LABELS"}};
  std::size_t known = 0;
  std::size_t shown = 0;
};

void add(Listing& listing, const msg::Status& status, const msg::Value& raw, const Described* described,
         const msg::Value* raw_described) {
  ++listing.shown;
  msg::Value json = raw;
  if (raw_described != nullptr) json.set("manifest", *raw_described);
  listing.json.push(std::move(json));
  listing.table.add({{safe_text(status.id)},
                     {std::string(name_of(status.verdict)), colour_of(status.verdict)},
                     {std::string(name_of(status.link.state)), colour_of(status.link.state)},
                     {process_text(status.process)},
                     {std::string(name_of(status.progress.state))},
                     {outputs_text(status)},
                     {described == nullptr ? "" : software_text(described->name, described->version)},
                     {age_text(unix_now().ms - status.since.ms)},
                     {labels_text(status.labels)}});
}

Outcome<Listing> read_listing(Session& session) {
  Outcome<std::vector<msg::Value>> statuses = fetch_all(session.bus, "bus.status", "list");
  if (!statuses) return tl::unexpected<Failure>(std::move(statuses.error()));
  Outcome<std::vector<msg::Value>> manifests = fetch_all(session.bus, "bus.manifest", "list");
  if (!manifests) return tl::unexpected<Failure>(std::move(manifests.error()));
  std::map<std::string, std::pair<Described, const msg::Value*>> described;
  for (const msg::Value& raw : *manifests) {
    Outcome<Described> entry = read_as<Described>(raw, "bus.manifest list");
    if (!entry) return tl::unexpected<Failure>(std::move(entry.error()));
    const std::string id = entry->id;
    described[id] = {std::move(*entry), &raw};
  }
  Listing listing;
  listing.known = statuses->size();
  for (const msg::Value& raw : *statuses) {
    const Outcome<msg::Status> status = read_as<msg::Status>(raw, "bus.status list");
    if (!status) return tl::unexpected<Failure>(status.error());
    if (!is_selected(*status, {}, session.options.labels)) continue;
    const auto it = described.find(status->id);
    const bool found = it != described.end();
    add(listing, *status, raw, found ? &it->second.first : nullptr, found ? it->second.second : nullptr);
  }
  return listing;
}

}  // namespace

Outcome<ExitCode> run_ls(Session& session) {
  const Outcome<Listing> listing = read_listing(session);
  if (!listing) return tl::unexpected<Failure>(listing.error());
  if (session.options.json) return done(session.console.print_line(safe_json(listing->json, 2)));
  if (listing->known == 0) {
    session.console.note("no compositor has registered yet: is a compositor-agent running?");
  } else if (listing->shown == 0) {
    session.console.note(fmt::format("none of the {} compositors has these labels", listing->known));
  }
  return done(session.console.print(listing->table.to_text(session.console.coloured())));
}

Outcome<ExitCode> run_show(Session& session) {
  Outcome<msg::Value> raw = fetch_status(session.bus, session.options.id);
  if (!raw) return tl::unexpected<Failure>(std::move(raw.error()));
  Outcome<std::optional<KnownManifest>> manifest = fetch_manifest(session.bus, session.options.id);
  if (!manifest) return tl::unexpected<Failure>(std::move(manifest.error()));
  if (session.options.json) return done(session.console.print_line(safe_json(*raw, 2)));
  const Outcome<msg::Status> status = read_as<msg::Status>(*raw, "the status of " + session.options.id);
  if (!status) return tl::unexpected<Failure>(status.error());
  // The broker's calendar, where a manifest's age tells it; ours may differ.
  const bool known = manifest->has_value();
  const UnixMs now = known ? UnixMs{(*manifest)->freshness.observed_at.ms + (*manifest)->freshness.age_ms} : unix_now();
  std::string text = show_text(*status, *manifest, now, session.console.coloured());
  if (const msg::Value* value = raw->find("crash")) {
    const Outcome<msg::Crash> crash = read_as<msg::Crash>(*value, "the crash of " + session.options.id);
    if (!crash) return tl::unexpected<Failure>(crash.error());
    text += crash_text(*crash, now);
  }
  return done(session.console.print(text));
}

Outcome<ExitCode> run_manifest(Session& session) {
  if (session.options.history) return run_manifest_history(session);
  if (session.options.revision) return run_manifest_revision(session);
  const std::string& id = session.options.id;
  Outcome<std::optional<KnownManifest>> known = fetch_manifest(session.bus, id);
  if (!known) return tl::unexpected<Failure>(std::move(known.error()));
  if (!*known) {
    return give_up(ExitCode::kRefused,
                   fmt::format("{} has registered but never described a compositor: none was running "
                               "when its agent looked",
                               id));
  }
  if (session.options.json) return done(session.console.print_line(safe_json((*known)->raw, 2)));
  const Outcome<msg::Value> raw = fetch_status(session.bus, id);
  if (!raw) return tl::unexpected<Failure>(raw.error());
  const Outcome<msg::Status> status = read_as<msg::Status>(*raw, "the status of " + id);
  if (!status) return tl::unexpected<Failure>(status.error());
  return done(session.console.print(manifest_text(**known, *status, session.console.coloured())));
}

}  // namespace compositord::ctl
