#pragma once
// The entry that libFuzzer calls for every input, and replay_main for every file of the corpus.

#include <cstddef>
#include <cstdint>

// The name and the C linkage are libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
