#include "tests/support/faulty_vfs.h"

#include <sqlite3.h>

#include <new>
#include <optional>

#include "common/base/check.h"

namespace compositord::test {

namespace {

struct Plan {
  sqlite3_vfs* system = nullptr;
  bool armed = false;
  std::size_t count = 0;
  std::size_t index = 0;
  FaultyVfs::Mode mode = FaultyVfs::Mode::kOnce;
  FaultyVfs::Fault fault = FaultyVfs::Fault::kDiskFull;
  bool failed = false;

  // The code to answer instead of doing the operation, if it is the one to fail.
  std::optional<int> next(int io_code) {
    if (!armed) return std::nullopt;
    const std::size_t here = count++;
    const bool hit = mode == FaultyVfs::Mode::kOnce ? here == index : here >= index;
    if (!hit) return std::nullopt;
    failed = true;
    return fault == FaultyVfs::Fault::kDiskFull ? SQLITE_FULL : io_code;
  }
};

// SQLite allocates this much for each file and only sees `base`; the system's own file object follows behind it.
struct File {
  sqlite3_file base;
  sqlite3_file* system;
  Plan* plan;
};

Plan& plan_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file)->plan; }
Plan& plan_of(sqlite3_vfs* vfs) { return *static_cast<Plan*>(vfs->pAppData); }
sqlite3_file* system_of(sqlite3_file* file) { return reinterpret_cast<File*>(file)->system; }
const sqlite3_io_methods* methods_of(sqlite3_file* file) { return system_of(file)->pMethods; }

int file_close(sqlite3_file* f) { return methods_of(f)->xClose(system_of(f)); }
int file_read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return methods_of(f)->xRead(system_of(f), to, n, at);
}
int file_write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (const auto code = plan_of(f).next(SQLITE_IOERR_WRITE)) return *code;
  return methods_of(f)->xWrite(system_of(f), from, n, at);
}
int file_truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (const auto code = plan_of(f).next(SQLITE_IOERR_TRUNCATE)) return *code;
  return methods_of(f)->xTruncate(system_of(f), size);
}
int file_sync(sqlite3_file* f, int flags) {
  if (const auto code = plan_of(f).next(SQLITE_IOERR_FSYNC)) return *code;
  return methods_of(f)->xSync(system_of(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) { return methods_of(f)->xFileSize(system_of(f), size); }
int file_lock(sqlite3_file* f, int level) { return methods_of(f)->xLock(system_of(f), level); }
int file_unlock(sqlite3_file* f, int level) { return methods_of(f)->xUnlock(system_of(f), level); }
int file_check_lock(sqlite3_file* f, int* out) { return methods_of(f)->xCheckReservedLock(system_of(f), out); }
int file_control(sqlite3_file* f, int op, void* arg) { return methods_of(f)->xFileControl(system_of(f), op, arg); }
int file_sector_size(sqlite3_file* f) { return methods_of(f)->xSectorSize(system_of(f)); }
int file_characteristics(sqlite3_file* f) { return methods_of(f)->xDeviceCharacteristics(system_of(f)); }

// Version 1: without the members for shared memory and memory-mapped reading.
const sqlite3_io_methods kFileMethods{
    1,           file_close,      file_read,    file_write,       file_truncate,        file_sync, file_size, file_lock,
    file_unlock, file_check_lock, file_control, file_sector_size, file_characteristics, nullptr,   nullptr,   nullptr,
    nullptr,     nullptr,         nullptr};

bool is_missing(sqlite3_vfs* system, const char* name) {
  int exists = 0;
  return name != nullptr && system->xAccess(system, name, SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && exists == 0;
}

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  Plan& plan = plan_of(vfs);
  auto* behind = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
  auto* ours = new (file) File{{nullptr}, behind, &plan};
  if (is_missing(plan.system, name)) {
    if (const auto code = plan.next(SQLITE_CANTOPEN)) return *code;
  }
  const int code = plan.system->xOpen(plan.system, name, ours->system, flags, out_flags);
  if (ours->system->pMethods != nullptr) ours->base.pMethods = &kFileMethods;
  return code;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  Plan& plan = plan_of(vfs);
  if (const auto code = plan.next(SQLITE_IOERR_DELETE)) return *code;
  return plan.system->xDelete(plan.system, name, sync_directory);
}

}  // namespace

struct FaultyVfs::State {
  Plan plan;
  sqlite3_vfs vfs{};
};

FaultyVfs::FaultyVfs() : state_(std::make_unique<State>()) {
  sqlite3_vfs* system = sqlite3_vfs_find(nullptr);
  CHECK(system != nullptr);
  state_->plan.system = system;
  sqlite3_vfs& vfs = state_->vfs;
  vfs = *system;  // all the rest is the system's; none of it but opening a file uses pAppData
  vfs.zName = "compositord-faulty";
  vfs.pNext = nullptr;
  vfs.pAppData = &state_->plan;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + system->szOsFile;
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  CHECK(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&state_->vfs);
  sqlite3_vfs_register(state_->plan.system, 1);
}

void FaultyVfs::fail_at(std::size_t index, Mode mode, Fault fault) {
  Plan& plan = state_->plan;
  plan.armed = true;
  plan.count = 0;
  plan.index = index;
  plan.mode = mode;
  plan.fault = fault;
  plan.failed = false;
}

void FaultyVfs::heal() { state_->plan.armed = false; }
bool FaultyVfs::has_failed() const { return state_->plan.failed; }

}  // namespace compositord::test
