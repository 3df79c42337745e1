// A program that does nothing, for bench_agent: with the agent's libraries loaded into it, what they cost alone is measured.
// Says "ready" and ends with its standard input.

#include <unistd.h>

int main() {
  char byte = 0;
  if (::write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
  while (::read(STDIN_FILENO, &byte, 1) > 0) continue;
  return 0;
}
