#pragma once
// The command line of a benchmark: `--name value` pairs and `--name` alone.

#include <cstdint>
#include <map>
#include <string>

namespace compositord::bench {

class Options {
 public:
  // Each known name with its default and what it means; names that end in '!' take no value.
  struct Known {
    std::string fallback;
    std::string help;
  };
  // Prints the usage and exits for --help, and for a name that isn't known.
  Options(int argc, char** argv, std::map<std::string, Known> known);

  const std::string& text(const std::string& name) const;
  std::int64_t number(const std::string& name) const;  // not negative
  bool given(const std::string& name) const { return given_.contains(name); }

 private:
  [[noreturn]] void usage(const std::string& program, int status) const;

  std::map<std::string, Known> known_;
  std::map<std::string, std::string> given_;
};

}  // namespace compositord::bench
