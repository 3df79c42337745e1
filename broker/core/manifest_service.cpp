// bus.manifest: what compositors are and were. The present manifests are answered from memory, earlier ones by the store.

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "broker/core/page_params.h"
#include "broker/core/query_answers.h"
#include "broker/core/selector.h"
#include "broker/core/value_diff.h"

namespace compositord::broker {

namespace {

constexpr std::string_view kMethods = "get, list, history, diff, catalogue";
constexpr std::size_t kChangesMax = 1'000;        // of one diff
constexpr std::size_t kListBytesMax = 4U << 20U;  // of the manifests on one page
constexpr std::size_t kFieldsMax = 64;
constexpr std::string_view kManifestField = "manifest";
constexpr std::array<std::string_view, 12> kListFields{"id",     "link",    "last_seen", "observed_at",
                                                       "age_ms", "hash",    "revision",  "stored",
                                                       "name",   "version", "verdict",   "labels"};

// What keeps a stale manifest from looking fresh: it stands in every answer beside it.
msg::Value freshness(const BusContext& bus, const Compositor& c) {
  return msg::Value::map({{"id", c.status.id},
                          {"link", std::string(name_of(c.status.link.state))},
                          {"last_seen", last_seen(bus, c).ms},
                          {"observed_at", c.observed_at.ms},
                          {"age_ms", std::max<std::int64_t>(0, bus.now.calendar.ms - c.observed_at.ms)},
                          {"hash", c.hash},
                          {"revision", c.revision},
                          {"stored", c.stored}});
}

tl::unexpected<Error> no_revision(const std::string& id, std::uint64_t revision) {
  return fail(Status::kNotFound, fmt::format("{} has no revision {} any more, or never had; bus.manifest history lists "
                                             "those that are kept",
                                             id, revision));
}

// ---- list

struct ListParams {
  PageParams page;
  std::optional<Selector> selector;
  std::vector<std::string> fields;  // empty: all but the manifest
};

bool is_list_field(const std::string& field) {
  const std::string_view name = field;
  if (name == kManifestField || (name.starts_with("manifest.") && name.size() > 9)) return true;
  return std::find(kListFields.begin(), kListFields.end(), name) != kListFields.end();
}

Result<std::vector<std::string>> read_fields(const msg::Value& params) {
  std::vector<std::string> fields;
  const msg::Value* value = params.find("fields");
  if (value == nullptr || value->is_null()) return fields;
  if (value->if_array() == nullptr) return fail(Status::kMalformed, "fields: an array expected");
  for (const msg::Value& field : *value->if_array()) {
    if (!field.is_string()) return fail(Status::kMalformed, "fields: strings expected");
    if (!is_list_field(*field.if_string())) {
      return fail(Status::kMalformed,
                  fmt::format("fields: there is no \"{}\" ({}, manifest, manifest.<its field>)",
                              escape_for_log(*field.if_string(), 64), fmt::join(kListFields, ", ")));
    }
    fields.push_back(*field.if_string());
  }
  if (fields.size() > kFieldsMax) return fail(Status::kTooLarge, fmt::format("fields: more than {}", kFieldsMax));
  return fields;
}

Result<ListParams> read_list_params(const msg::Value& params) {
  Result<PageParams> page = read_page_params(params);
  if (!page) return tl::unexpected<Error>(page.error());
  Result<std::vector<std::string>> fields = read_fields(params);
  if (!fields) return tl::unexpected<Error>(fields.error());
  Result<std::optional<Selector>> selector = read_selector(params);
  if (!selector) return tl::unexpected<Error>(selector.error());
  return ListParams{std::move(*page), std::move(*selector), std::move(*fields)};
}

msg::Value list_entry(const BusContext& bus, const Compositor& c) {
  msg::Value entry = freshness(bus, c);
  entry.set("name", c.name);
  entry.set("version", c.version);
  entry.set("verdict", std::string(name_of(c.status.verdict)));
  msg::Value labels = msg::Value::map();
  for (const auto& label : c.status.labels) labels.set(label.first, label.second);
  entry.set("labels", std::move(labels));
  return entry;
}

// Of a manifest, the fields that were asked for.
msg::Value chosen_manifest(const Compositor& c, const std::vector<std::string>& fields) {
  msg::Value whole = c.manifest ? c.manifest->decode() : msg::Value::map();
  if (std::find(fields.begin(), fields.end(), kManifestField) != fields.end()) return whole;
  msg::Value part = msg::Value::map();
  for (const std::string& field : fields) {
    if (!field.starts_with("manifest.")) continue;
    if (const msg::Value* found = whole.find(std::string_view(field).substr(9))) part.set(field.substr(9), *found);
  }
  return part;
}

bool wants_manifest(const std::vector<std::string>& fields) {
  return std::any_of(fields.begin(), fields.end(), [](const std::string& f) { return f.starts_with(kManifestField); });
}

msg::Value chosen_entry(const BusContext& bus, const Compositor& c, const std::vector<std::string>& fields) {
  msg::Value whole = list_entry(bus, c);
  if (fields.empty()) return whole;
  msg::Value entry = msg::Value::map({{"id", c.status.id}});
  for (const std::string& field : fields) {
    if (const msg::Value* found = whole.find(field)) entry.set(field, *found);
  }
  if (wants_manifest(fields)) entry.set(kManifestField, chosen_manifest(c, fields));
  return entry;
}

Result<Answer> list_manifests(const BusContext& bus, const msg::Call& call) {
  const Result<ListParams> params = read_list_params(call.params);
  if (!params) return tl::unexpected<Error>(params.error());
  const bool with_manifests = wants_manifest(params->fields);
  msg::Value items = msg::Value::array();
  std::size_t bytes = 0;
  Answer answer;
  answer.result = msg::Value::map({{"compositors", nullptr}, {"next", nullptr}});
  std::string after = params->page.after;
  for (const Compositor* c = bus.compositors.next(after); c != nullptr; c = bus.compositors.next(after)) {
    if (!params->selector || matches(*params->selector, *c)) {
      const std::size_t more = with_manifests && c->manifest ? c->manifest->msgpack().size() : 0;
      const std::size_t held = items.if_array()->size();
      if (held >= params->page.limit || (held > 0 && bytes + more > kListBytesMax)) {
        answer.result.set("next", items.if_array()->back().find("id")->if_string()->c_str());
        break;
      }
      bytes += more;
      items.push(chosen_entry(bus, *c, params->fields));
    }
    after = c->status.id;
  }
  answer.result.set("compositors", std::move(items));
  return answer;
}

// ---- get, history

// A whole number among the parameters, 1 or more.
Result<std::optional<std::uint64_t>> read_revision(const msg::Value& params, std::string_view key) {
  const msg::Value* value = params.find(key);
  if (value == nullptr || value->is_null()) return std::optional<std::uint64_t>();
  const std::int64_t* number = value->if_int();
  if (number == nullptr || *number < 1)
    return fail(Status::kMalformed, fmt::format("{}: a whole number from 1 expected", key));
  return std::optional(static_cast<std::uint64_t>(*number));
}

Result<const Compositor*> find_described(const BusContext& bus, const msg::Value& params, std::string_view key = "id") {
  Result<const Compositor*> found = find_compositor(bus, params, key);
  if (!found || (*found)->manifest) return found;
  return fail(Status::kNotFound,
              fmt::format("{} has registered but never described a compositor", (*found)->status.id));
}

msg::Value note_of(const ManifestRevision& revision) {
  return msg::Value::map({{"revision", revision.revision},
                          {"hash", revision.hash},
                          {"observed_at", revision.observed_at.ms},
                          {"name", revision.name},
                          {"version", revision.version}});
}

Answer manifest_answer(msg::Value result, std::shared_ptr<const msg::EncodedValue> manifest) {
  Answer answer;
  answer.result = std::move(result);
  answer.encoded = msg::EncodedEntry{std::string(kManifestField), std::move(manifest)};
  return answer;
}

ManifestRevision present_revision(const Compositor& c) {
  ManifestRevision revision;
  revision.id = c.status.id;
  revision.revision = c.revision;
  revision.hash = c.hash;
  revision.name = c.name;
  revision.version = c.version;
  revision.observed_at = c.observed_at;
  return revision;
}

Answer revision_answer(const ManifestRevision& revision, std::shared_ptr<const msg::EncodedValue> manifest) {
  msg::Value result = note_of(revision);
  result.set("id", revision.id);
  return manifest_answer(std::move(result), std::move(manifest));
}

Result<Answer> get_manifest(const BusContext& bus, const msg::Call& call, Outputs& out) {
  const Result<const Compositor*> found = find_described(bus, call.params);
  if (!found) return tl::unexpected<Error>(found.error());
  const Compositor& c = **found;
  const Result<std::optional<std::uint64_t>> revision = read_revision(call.params, "revision");
  if (!revision) return tl::unexpected<Error>(revision.error());
  if (*revision && **revision == c.revision) return revision_answer(present_revision(c), c.manifest);
  if (*revision && **revision > c.revision) return no_revision(c.status.id, **revision);
  if (*revision) return answer_after(bus, RevisionsQuery{c.status.id, {**revision}}, out);
  const Result<std::string> known = read_text(call.params, "if_none_match");
  if (!known) return tl::unexpected<Error>(known.error());
  Answer answer = manifest_answer(freshness(bus, c), c.manifest);
  answer.age_ms = *answer.result.find("age_ms")->if_int();
  if (!known->empty() && *known == c.hash) {
    answer.status = Status::kNotModified;
    answer.result = msg::Value::map();
    answer.encoded.reset();
  }
  return answer;
}

Answer history_answer(const Compositor& c, const StoreRows& rows) {
  msg::Value revisions = msg::Value::array();
  for (const ManifestRevision& row : rows.revisions) {
    ManifestRevision revision = row;
    // Those that were stored before there was a history have no name.
    if (row.revision == c.revision && row.name.empty()) revision = present_revision(c);
    revisions.push(note_of(revision));
  }
  Answer answer;
  answer.result = msg::Value::map({{"id", c.status.id}, {"revisions", std::move(revisions)}});
  return answer;
}

// ---- diff

struct Side {
  std::string id;
  std::uint64_t revision = 0;
  std::string hash;
  msg::Value manifest;
};

Side side_of(const Compositor& c) { return {c.status.id, c.revision, c.hash, c.manifest->decode()}; }

msg::Value to_value(const Side& side) {
  return msg::Value::map({{"id", side.id}, {"revision", side.revision}, {"hash", side.hash}});
}

Answer diff_answer(const Side& a, const Side& b) {
  const ValueDiff found = diff(a.manifest, b.manifest, kChangesMax);
  msg::Value changes = msg::Value::array();
  for (const ValueChange& change : found.changes) {
    msg::Value entry = msg::Value::map({{"path", change.path}});
    if (change.before) entry.set("old", *change.before);
    if (change.after) entry.set("new", *change.after);
    changes.push(std::move(entry));
  }
  Answer answer;
  answer.result =
      msg::Value::map({{"a", to_value(a)}, {"b", to_value(b)}, {"changes", std::move(changes)}, {"more", found.more}});
  return answer;
}

struct Revisions {
  const Compositor* compositor = nullptr;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

// Without `to` the present one, without `from` the one before it.
Result<Revisions> read_revisions(const BusContext& bus, const msg::Value& params) {
  const Result<const Compositor*> found = find_described(bus, params);
  if (!found) return tl::unexpected<Error>(found.error());
  const Result<std::optional<std::uint64_t>> from = read_revision(params, "from");
  if (!from) return tl::unexpected<Error>(from.error());
  const Result<std::optional<std::uint64_t>> to = read_revision(params, "to");
  if (!to) return tl::unexpected<Error>(to.error());
  Revisions wanted;
  wanted.compositor = *found;
  wanted.to = to->value_or((*found)->revision);
  wanted.from = from->value_or(wanted.to - 1);
  const std::uint64_t last = std::max(wanted.from, wanted.to);
  if (last > (*found)->revision) return no_revision((*found)->status.id, last);
  if (wanted.from > 0) return wanted;
  return fail(Status::kNotFound, fmt::format("{} has had one manifest only", (*found)->status.id));
}

Result<Answer> diff_manifests(const BusContext& bus, const msg::Call& call, Outputs& out) {
  if (call.params.find("id") != nullptr) {
    const Result<Revisions> wanted = read_revisions(bus, call.params);
    if (!wanted) return tl::unexpected<Error>(wanted.error());
    return answer_after(bus, RevisionsQuery{wanted->compositor->status.id, {wanted->from, wanted->to}}, out);
  }
  if (call.params.find("a") == nullptr) {
    return fail(Status::kMalformed, "diff: {id, from, to} for two revisions or {a, b} for two compositors expected");
  }
  const Result<const Compositor*> a = find_described(bus, call.params, "a");
  if (!a) return tl::unexpected<Error>(a.error());
  const Result<const Compositor*> b = find_described(bus, call.params, "b");
  if (!b) return tl::unexpected<Error>(b.error());
  return diff_answer(side_of(**a), side_of(**b));
}

// The present one is in memory: it may not be on disk yet.
std::optional<Side> side_of(const Compositor& c, std::uint64_t revision, const StoreRows& rows) {
  if (revision == c.revision) return side_of(c);
  for (const ManifestRevision& row : rows.revisions) {
    if (row.revision != revision) continue;
    return Side{c.status.id, revision, row.hash, msg::EncodedValue(row.manifest).decode()};
  }
  return std::nullopt;
}

Result<Answer> diff_revisions(const BusContext& bus, const msg::Call& call, const StoreRows& rows) {
  const Result<Revisions> wanted = read_revisions(bus, call.params);
  if (!wanted) return tl::unexpected<Error>(wanted.error());
  const std::optional<Side> from = side_of(*wanted->compositor, wanted->from, rows);
  const std::optional<Side> to = side_of(*wanted->compositor, wanted->to, rows);
  if (from && to) return diff_answer(*from, *to);
  return no_revision(wanted->compositor->status.id, from ? wanted->to : wanted->from);
}

Answer catalogue_answer(const BusContext& bus) {
  const std::string& kinds = bus.config.catalogue;
  Answer answer;
  answer.result = msg::Value::map({{"refused", bus.config.catalogue_refused}});
  answer.encoded = msg::EncodedEntry{
      "compositors",
      std::make_shared<const msg::EncodedValue>(kinds.empty() ? msg::encode_msgpack(msg::Value::array()) : kinds)};
  return answer;
}

}  // namespace

Result<Answer> call_manifest_service(const BusContext& bus, const msg::Call& call, Outputs& out) {
  const std::string& method = call.header.method;
  if (method == "get") return get_manifest(bus, call, out);
  if (method == "list") return list_manifests(bus, call);
  if (method == "diff") return diff_manifests(bus, call, out);
  if (method == "catalogue") return catalogue_answer(bus);
  if (method != "history") return no_method("bus.manifest", method, kMethods);
  const Result<const Compositor*> found = find_compositor(bus, call.params);
  if (!found) return tl::unexpected<Error>(found.error());
  return answer_after(bus, RevisionsQuery{(*found)->status.id, {}}, out);
}

Result<Answer> answer_manifest_call(const BusContext& bus, const msg::Call& call, const StoreRows& rows) {
  if (call.header.method == "diff") return diff_revisions(bus, call, rows);
  const Result<const Compositor*> found = find_compositor(bus, call.params);
  if (!found) return tl::unexpected<Error>(found.error());
  if (call.header.method == "history") return history_answer(**found, rows);
  if (rows.revisions.empty()) {
    const Result<std::optional<std::uint64_t>> revision = read_revision(call.params, "revision");
    return no_revision((*found)->status.id, revision ? revision->value_or(0) : 0);
  }
  const ManifestRevision& row = rows.revisions.front();
  return revision_answer(row, std::make_shared<const msg::EncodedValue>(row.manifest));
}

}  // namespace compositord::broker
