#include "tests/sim/failures.h"

#include <fmt/format.h>

namespace compositord::sim {

namespace {
constexpr std::size_t kNotesKept = 40;
}

std::string Failures::stamped(const std::string& text) const {
  return fmt::format("{:>10.3f} s  {}", static_cast<double>(events_.now().ns()) / 1e9, text);
}

void Failures::add(const std::string& text) {
  any_ = true;
  all_.push_back(stamped(text));
}

void Failures::note(const std::string& line) {
  notes_.push_back(stamped(line));
  if (notes_.size() > 2 * kNotesKept) notes_.erase(notes_.begin(), notes_.end() - kNotesKept);
}

std::string Failures::story() const {
  std::string text;
  for (const std::string& line : notes_) text += line + "\n";
  for (const std::string& line : all_) text += "FAILED " + line + "\n";
  return text;
}

}  // namespace compositord::sim
