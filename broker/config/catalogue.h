#pragma once
// The known kinds of compositor: those that we ship (schemas/compositors.json, built in) and the operator's own, which are
// added to them or replace them by name. Source: schemas/messages/catalogue.json.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/msg/value.h"

namespace compositord::broker {

struct CatalogueFault {
  std::string place;  // "/etc/kinds.json", "/etc/kinds.json entry 3 (sway)"
  std::string why;    // "JSON line 4 column 9: …", "executables: an array of strings expected"
};

struct Catalogue {
  msg::Value::Array entries;           // in the order of their names
  std::vector<CatalogueFault> faults;  // each an entry, or the whole file, that was refused; the others are here
};

// Takes the JSON array `text` into the catalogue. `name` is only for the faults.
void add_entries(Catalogue& catalogue, std::string_view text, const std::string& name);

// What we ship, then `own` unless that is empty. A file that can't be read is a fault, and no reason not to start.
Catalogue load_catalogue(const std::filesystem::path& own);

// schemas/compositors.json, as it was when this was built.
std::string_view shipped_catalogue() noexcept;

}  // namespace compositord::broker
