#pragma once
// What a word of the command line must be. A validator's complaint is for people, and shows nothing that a terminal obeys.

#include <cstdint>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace compositord::ctl {

CLI::Validator is_duration();
CLI::Validator is_label();
// A whole number, no less than `min`.
CLI::Validator is_count_from(std::uint64_t min);
// One of dump's peers. To be used as a transform: it becomes what dump compares with.
CLI::Validator is_peer();
// A pattern that fits one kind of alert at least.
CLI::Validator is_kind();
enum class FactsOf : std::uint8_t {
  kStatus,   // verdict, link, process and progress
  kSelector  // these, and compositor and version, whose values nobody can list
};
// One of these facts, and a pattern that fits one of its values at least.
CLI::Validator is_fact(FactsOf where);

// Of `pairs`, KEY=VALUE each, of which all must fit: the bus takes one value for each key, and no compositor has two.
// Throws CLI::ValidationError.
void require_one_value_each(const std::string& option, const std::vector<std::string>& pairs);

}  // namespace compositord::ctl
