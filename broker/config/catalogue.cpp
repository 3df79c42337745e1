#include "broker/config/catalogue.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <span>
#include <system_error>
#include <utility>

#include "common/base/log_event.h"

namespace compositord::broker {

namespace {

using msg::Value;

constexpr std::size_t kFileBytesMax = 1U << 20U;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::array<std::string_view, 2> kKinds{"wayland", "x11"};
constexpr std::array<std::string_view, 4> kRoles{"compositor", "server", "compositing_manager", "window_manager"};
constexpr std::array<std::string_view, 3> kWatched{"process", "progress", "outputs"};
constexpr std::array<std::string_view, 5> kLists{"executables", "detected_by", "versions_seen", "watched", "driven"};

bool is_one_of(const Value& value, std::span<const std::string_view> known) {
  return value.is_string() && std::find(known.begin(), known.end(), *value.if_string()) != known.end();
}

std::string choice_fault(const Value& entry, std::string_view key, std::span<const std::string_view> known) {
  const Value* value = entry.find(key);
  if (value != nullptr && is_one_of(*value, known)) return {};
  return fmt::format("{}: one of {} expected", key, fmt::join(known, ", "));
}

std::string list_fault(const Value& entry, std::string_view key) {
  const Value* value = entry.find(key);
  if (value == nullptr || value->if_array() == nullptr) return fmt::format("{}: an array of strings expected", key);
  const Value::Array& texts = *value->if_array();
  if (key == "executables" && texts.empty()) return "executables: at least one is needed";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].is_string() || texts[i].if_string()->empty()) return fmt::format("{}[{}]: a string expected", key, i);
    if (key != "watched" || is_one_of(texts[i], kWatched)) continue;
    return fmt::format("watched[{}]: one of {} expected", i, fmt::join(kWatched, ", "));
  }
  return {};
}

// A mistyped name would otherwise be a field that is silently missing.
std::string unknown_field(const Value& entry) {
  constexpr std::array<std::string_view, 3> kOthers{"name", "kind", "role"};
  for (const auto& field : *entry.if_map()) {
    const auto is = [&](std::string_view known) { return known == field.first; };
    if (std::none_of(kLists.begin(), kLists.end(), is) && std::none_of(kOthers.begin(), kOthers.end(), is)) {
      return fmt::format("there is no field \"{}\" ({}, {})", escape_for_log(field.first, 64), fmt::join(kOthers, ", "),
                         fmt::join(kLists, ", "));
    }
  }
  return {};
}

// Empty when the entry is good.
std::string fault_of(const Value& entry) {
  if (!entry.is_map()) return "a map expected";
  const Value* name = entry.find("name");
  if (name == nullptr || !name->is_string() || name->if_string()->empty() ||
      name->if_string()->size() > kNameBytesMax) {
    return fmt::format("name: a string of 1 … {} bytes expected", kNameBytesMax);
  }
  std::string fault = unknown_field(entry);
  if (fault.empty()) fault = choice_fault(entry, "kind", kKinds);
  if (fault.empty()) fault = choice_fault(entry, "role", kRoles);
  for (const std::string_view list : kLists) {
    if (fault.empty()) fault = list_fault(entry, list);
  }
  return fault;
}

const std::string& name_of(const Value& entry) { return *entry.find("name")->if_string(); }

std::string place_of(const std::string& file, std::size_t index, const Value& entry) {
  const Value* name = entry.find("name");
  const std::string called =
      name != nullptr && name->is_string() ? " (" + escape_for_log(*name->if_string(), 64) + ")" : "";
  return fmt::format("{} entry {}{}", file, index + 1, called);
}

void put(Value::Array& entries, Value entry) {
  const auto place = std::lower_bound(entries.begin(), entries.end(), entry,
                                      [](const Value& a, const Value& b) { return name_of(a) < name_of(b); });
  if (place != entries.end() && name_of(*place) == name_of(entry)) {
    *place = std::move(entry);
  } else {
    entries.insert(place, std::move(entry));
  }
}

}  // namespace

void add_entries(Catalogue& catalogue, std::string_view text, const std::string& name) {
  Result<Value> value = msg::decode_json(text);
  if (!value) return catalogue.faults.push_back({name, value.error().text});
  Value::Array* entries = value->if_array();
  if (entries == nullptr) return catalogue.faults.push_back({name, "an array of entries expected"});
  for (std::size_t i = 0; i < entries->size(); ++i) {
    Value& entry = (*entries)[i];
    std::string fault = fault_of(entry);
    if (fault.empty()) {
      put(catalogue.entries, std::move(entry));
    } else {
      catalogue.faults.push_back({place_of(name, i, entry), std::move(fault)});
    }
  }
}

Catalogue load_catalogue(const std::filesystem::path& own) {
  Catalogue catalogue;
  add_entries(catalogue, shipped_catalogue(), "compositors.json");
  if (own.empty()) return catalogue;
  std::ifstream in(own, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) {
    catalogue.faults.push_back({own.string(), "it can't be read: " + std::generic_category().message(errno)});
    return catalogue;
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) {
    catalogue.faults.push_back({own.string(), fmt::format("it has more than {} bytes", kFileBytesMax)});
    return catalogue;
  }
  add_entries(catalogue, text, own.string());
  return catalogue;
}

}  // namespace compositord::broker
