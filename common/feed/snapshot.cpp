#include "common/feed/snapshot.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::feed {

namespace {

// The list of the page, after the snapshot has taken its epoch and seqs.
Result<const msg::Value::Array*> begin_page(const msg::Value& result, std::string_view key, Snapshot& snapshot) {
  const msg::Value* epoch = result.find("epoch");
  if (epoch == nullptr || epoch->if_int() == nullptr || *epoch->if_int() <= 0) {
    return fail(Status::kMalformed, "snapshot: epoch: a number above 0 expected");
  }
  const msg::Value* list = result.find(key);
  if (list == nullptr || list->if_array() == nullptr) {
    return fail(Status::kMalformed, fmt::format("snapshot: {}: an array expected", key));
  }
  const auto number = static_cast<std::uint64_t>(*epoch->if_int());
  if (snapshot.epoch == 0) {
    snapshot.epoch = number;
    snapshot.seqs = read_seqs(result);
  } else if (snapshot.epoch != number) {
    return fail(Status::kConflict, "snapshot: the broker was restarted between two pages");
  }
  return list->if_array();
}

std::optional<std::string> next_of(const msg::Value& result) {
  const msg::Value* next = result.find("next");
  if (next == nullptr || !next->is_string()) return std::nullopt;
  return *next->if_string();
}

}  // namespace

Seqs read_seqs(const msg::Value& holder) {
  Seqs seqs;
  const msg::Value* map = holder.find("seqs");
  if (map == nullptr || !map->is_map()) return seqs;
  for (const auto& [kind, value] : *map->if_map()) {
    const std::int64_t* number = value.if_int();
    if (number != nullptr && *number >= 0) seqs[kind] = static_cast<std::uint64_t>(*number);
  }
  return seqs;
}

Result<std::optional<std::string>> add_status_page(const msg::Value& result, Snapshot& snapshot) {
  const Result<const msg::Value::Array*> list = begin_page(result, "compositors", snapshot);
  if (!list) return tl::unexpected<Error>(list.error());
  for (const msg::Value& item : **list) {
    const msg::Value* seq = item.find("seq");
    const msg::Value* status = item.find("status");
    if (seq == nullptr || seq->if_int() == nullptr || *seq->if_int() < 0 || status == nullptr) {
      return fail(Status::kMalformed, "snapshot: an entry without seq or status");
    }
    Result<msg::Status> parsed = msg::from_value<msg::Status>(*status);
    if (!parsed) return fail(Status::kMalformed, "snapshot: " + parsed.error().text);
    snapshot.statuses.push_back({static_cast<std::uint64_t>(*seq->if_int()), std::move(*parsed)});
  }
  return next_of(result);
}

Result<std::optional<std::string>> add_alert_page(const msg::Value& result, Snapshot& snapshot) {
  const Result<const msg::Value::Array*> list = begin_page(result, "alerts", snapshot);
  if (!list) return tl::unexpected<Error>(list.error());
  for (const msg::Value& item : **list) {
    Result<msg::Alert> parsed = msg::from_value<msg::Alert>(item);
    if (!parsed) return fail(Status::kMalformed, "snapshot: an alert: " + parsed.error().text);
    snapshot.alerts.push_back(std::move(*parsed));
  }
  return next_of(result);
}

}  // namespace compositord::feed
