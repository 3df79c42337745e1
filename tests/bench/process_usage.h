#pragma once
// What a process uses, as the kernel counts it.

#include <sys/types.h>

#include <cstdint>

namespace compositord::bench {

std::int64_t resident_kib(pid_t pid);  // VmRSS
double cpu_seconds(pid_t pid);         // of all its threads, in user mode and in the kernel

}  // namespace compositord::bench
