#include "tests/support/temp_dir.h"

#include <cstdlib>
#include <string>

#include "common/base/check.h"

namespace compositord::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "compositord-test-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr);
  path_ = name;
  // Searchable by all, so that a test may look at it as another user.
  std::filesystem::permissions(path_, std::filesystem::perms::others_exec | std::filesystem::perms::group_exec,
                               std::filesystem::perm_options::add);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::permissions(path_, std::filesystem::perms::owner_all, std::filesystem::perm_options::add, ignored);
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace compositord::test
