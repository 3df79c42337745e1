#pragma once
// A program and its arguments, behind `--`, past CLI11: of an option that takes several words it reads "[a,b]" as a list, even
// there, and takes it for two words without brackets; "[]" for none.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace compositord {

inline constexpr char kWholeWordMark = '\0';  // no word of a command line has one

// The words behind the program's name, for CLI::App::parse(): the last one first. When `subcommand` is among them, those behind
// `--` that CLI11 would tear apart bear a mark, to be taken off with unmark_whole_words().
inline std::vector<std::string> with_whole_words(int argc, const char* const* argv, std::string_view subcommand) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (std::find(words.begin(), dashes, subcommand) != dashes) {
    std::for_each(dashes, words.end(), [](std::string& word) {
      if (word.starts_with('[') && word.ends_with(']')) word += kWholeWordMark;
    });
  }
  std::reverse(words.begin(), words.end());
  return words;
}

inline void unmark_whole_word(std::string& word) {
  if (word.ends_with(kWholeWordMark)) word.pop_back();
}
inline void unmark_whole_words(std::vector<std::string>& words) {
  std::for_each(words.begin(), words.end(), unmark_whole_word);
}

}  // namespace compositord
