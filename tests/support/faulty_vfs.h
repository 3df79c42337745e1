#pragma once
// A disk that fails at the i-th operation: an SQLite VFS around the system's own, made the default while it lives. It must
// outlive every connection opened meanwhile.
// Operations that change the disk are counted (open of a missing file, write, truncate, sync, delete); reads never fail.
// Offers no shared memory, so it also proves that the store needs none. Source: sqlite.org/vfs.html.

#include <cstddef>
#include <memory>

namespace compositord::test {

class FaultyVfs {
 public:
  enum class Mode { kOnce, kFromThenOn };
  enum class Fault { kDiskFull, kInputOutput };

  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  // Counting starts anew: operation `index` from now fails, counted from 0.
  void fail_at(std::size_t index, Mode mode, Fault fault);
  void heal();
  // Whether the fault was met since fail_at().
  bool has_failed() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace compositord::test
