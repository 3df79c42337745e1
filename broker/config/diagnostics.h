#pragma once
// What is wrong with a configuration file, shown where it is.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace compositord::broker {

// Both counted from 0, the column in bytes.
struct TextPosition {
  std::size_t line = 0;
  std::size_t column = 0;
  friend auto operator<=>(const TextPosition&, const TextPosition&) = default;
};

struct Diagnostic {
  TextPosition at;
  std::string text;  // what is wrong
  std::string help;  // a last line, or empty
};

// All of them in the order of the text, each as config.h shows, without a newline at the end.
std::string to_text(std::vector<Diagnostic> diagnostics, std::string_view file_name, std::string_view source);

// The word of `known` that `word` was most probably meant to be, or empty when none is near.
// Distance: letters left out, put in, changed, or two neighbours swapped (optimal string alignment).
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

}  // namespace compositord::broker
