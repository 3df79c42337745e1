#include "tests/bench/options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "common/base/check.h"
#include "tests/bench/fatal.h"

namespace compositord::bench {

Options::Options(int argc, char** argv, std::map<std::string, Known> known) : known_(std::move(known)) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") usage(argv[0], 0);
    if (known_.contains(name + "!")) {
      given_[name + "!"] = "";
    } else if (known_.contains(name) && i + 1 < argc) {
      given_[name] = argv[++i];
    } else {
      usage(argv[0], 2);
    }
  }
}

const std::string& Options::text(const std::string& name) const {
  if (const auto it = given_.find(name); it != given_.end()) return it->second;
  const auto it = known_.find(name);
  CHECK(it != known_.end());
  return it->second.fallback;
}

std::int64_t Options::number(const std::string& name) const {
  const std::string& digits = text(name);
  std::int64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value);
  if (error != std::errc() || stopped != end || value < 0) fatal(fmt::format("{} {}: not a number", name, digits));
  return value;
}

void Options::usage(const std::string& program, int status) const {
  std::FILE* const to = status == 0 ? stdout : stderr;
  fmt::print(to, "Usage: {} [OPTION]…\n", program);
  for (const auto& [name, about] : known_) {
    const bool flag = name.ends_with('!');
    const std::string shown = flag ? name.substr(0, name.size() - 1) : name + " VALUE";
    const std::string fallback = about.fallback.empty() ? "" : fmt::format(" ({})", about.fallback);
    fmt::print(to, "  {:<20} {}{}\n", shown, about.help, fallback);
  }
  std::exit(status);
}

}  // namespace compositord::bench
