#include "tests/sim/failures.h"

#include <utility>

#include <fmt/format.h>

namespace compositord::sim {

namespace {
constexpr std::size_t kNotesKept = 40;
}

std::string Failures::stamped(const Note& note) {
  return fmt::format("{:>10.3f} s  {}", static_cast<double>(note.at.ns()) / 1e9, note.text);
}

void Failures::add(const std::string& text) {
  any_ = true;
  all_.push_back(stamped(Note{events_.now(), text}));
}

void Failures::note(std::string line) {
  notes_.push_back(Note{events_.now(), std::move(line)});
  if (notes_.size() > kNotesKept) notes_.pop_front();
}

std::string Failures::story() const {
  std::string text;
  for (const Note& note : notes_) text += stamped(note) + "\n";
  for (const std::string& line : all_) text += "FAILED " + line + "\n";
  return text;
}

}  // namespace compositord::sim
