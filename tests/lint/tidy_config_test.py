#!/usr/bin/python3
"""The real .clang-tidy is read, each family of checks in it fires on bad code, and good code passes."""

import os
import re
import subprocess

import gate_testing

GOOD = """
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace compositord::broker {

inline constexpr int kLimit = 3;
enum class Transform : std::uint8_t { k90, kFlipped };

// Both have seen false alarms of checks that are therefore left out.
struct Revision {
  int number = 0;
  friend constexpr auto operator<=>(Revision, Revision) noexcept = default;
};
class Pinned {
 public:
  explicit Pinned(Revision revision) : revision_(revision) {}
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  [[nodiscard]] bool before(Revision other) const { return revision_ < other; }

 private:
  Revision revision_;
};

class Table {
 public:
  explicit Table(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  void add(int row_px) { rows_.push_back(row_px); }
  [[nodiscard]] bool full() const noexcept { return rows_.size() >= kLimit; }

 private:
  std::string name_;
  std::vector<int> rows_;
};

struct Row {
  int width_px = 0;
  Transform transform = Transform::k90;
};

class Driver {
 public:
  Driver() = default;
  virtual ~Driver() = default;
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  virtual int next() = 0;
};

class Fake : public Driver {
 public:
  int next() override { return row_.width_px; }

 private:
  Row row_;
};

std::unique_ptr<Driver> make_fake() { return std::make_unique<Fake>(); }

}  // namespace compositord::broker
"""

# The check that must fire, and the code.
BAD = [
    ("bugprone-use-after-move", "#include <string>\n#include <utility>\nvoid take(std::string s);\nint f(std::string s) { take(std::move(s)); return static_cast<int>(s.size()); }"),
    ("bugprone-sizeof-expression", "int f(const int* p) { return static_cast<int>(sizeof(p) / sizeof(*p)); }"),
    ("bugprone-infinite-loop", "int f() { int i = 0; int n = 0; while (i < 10) { ++n; } return n; }"),
    ("clang-analyzer-core.NullDereference", "int f(bool b) { int* p = nullptr; int x = 1; if (b) { p = &x; } return *p; }"),
    ("performance-unnecessary-value-param", "#include <string>\nunsigned long f(const std::string s) { return s.size(); }"),
    ("performance-for-range-copy", "#include <string>\n#include <vector>\nunsigned long f(const std::vector<std::string>& v) { unsigned long n = 0; for (const auto s : v) { n += s.size(); } return n; }"),
    ("cppcoreguidelines-avoid-non-const-global-variables", "int counter = 0;"),
    ("cppcoreguidelines-pro-type-cstyle-cast", "struct A { int x = 0; virtual ~A() = default; };\nstruct B : A {};\nB* f(A* a) { return (B*)a; }"),
    ("cppcoreguidelines-pro-type-member-init", "struct A { A() {}\n int x; };"),
    ("google-explicit-constructor", "class A { public: A(int v) : v_(v) {}\n private: int v_; };"),
    ("google-build-using-namespace", "#include <string>\nusing namespace std;"),
    ("misc-throw-by-value-catch-by-reference", "#include <stdexcept>\nint f() { try { return 1; } catch (std::exception e) { return 2; } }"),
    ("misc-redundant-expression", "bool f(int a) { return a == 1 || a == 1; }"),
    ("modernize-use-override", "struct A { virtual ~A() = default; virtual int f() { return 0; } };\nstruct B : A { virtual int f() { return 1; } };"),
    ("modernize-use-using", "typedef int Number;"),
    ("modernize-make-unique", "#include <memory>\nstd::unique_ptr<int> f() { return std::unique_ptr<int>(new int(1)); }"),
    ("readability-container-size-empty", "#include <string>\nbool f(const std::string& s) { return s.size() == 0; }"),
    ("readability-misleading-indentation", "int f(int a) {\n  if (a > 1)\n    ++a;\n    ++a;\n  return a;\n}"),
    ("readability-identifier-naming", "class bad_type {};"),
    ("readability-identifier-naming", "int BadFunction();"),
    ("readability-identifier-naming", "class A { int x = 0; };"),
    ("readability-identifier-naming", "struct A { int x_ = 0; };"),
    ("readability-identifier-naming", "inline constexpr int LIMIT = 3;"),
    ("readability-identifier-naming", "enum class E { First };"),
    ("readability-identifier-naming", "int f(int badName) { return badName; }"),
    ("readability-identifier-naming", "namespace BadSpace { int f(); }"),
    ("readability-identifier-naming", "struct bad_struct {};"),
    ("readability-identifier-naming", "enum class bad_enum { kOne };"),
    ("readability-identifier-naming", "using bad_alias = int;"),
    ("readability-identifier-naming", "typedef int bad_typedef;"),
    ("readability-identifier-naming", "template <class bad_parameter> struct A {};"),
    ("readability-identifier-naming", "struct A { int Method(); };"),
    ("readability-identifier-naming", "int f() { int Local = 1; return Local; }"),
    ("readability-identifier-naming", "class A { int Bad_ = 0; };"),
    ("readability-identifier-naming", "class A { protected: int x = 0; };"),
    ("readability-identifier-naming", "class A { protected: int Bad_ = 0; };"),
    ("readability-identifier-naming", "inline constexpr int kbad_case = 3;"),
    ("readability-identifier-naming", "int g();\nconst int kbad_case = g();"),
    ("readability-identifier-naming", "int g();\nconst int BadPrefix = g();"),
    ("readability-identifier-naming", "class A { static const int kbad_case; };"),
    ("readability-identifier-naming", "class A { static const int BadPrefix; };"),
    ("readability-identifier-naming", "enum class E { kbad_case };"),
    ("readability-identifier-naming", "#define bad_macro 1"),
]


class TidyConfig(gate_testing.TreeTest):
    def tidy(self, path):
        config = os.path.join(gate_testing.ROOT, ".clang-tidy")
        run = subprocess.run(["clang-tidy", "--quiet", f"--config-file={config}", path, "--", "-std=c++20"],
                             capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr

    def test_accepts_good_code(self):
        status, text = self.tidy(self.write("common/good.cpp", GOOD))
        self.assertEqual(status, 0, text)

    def test_each_check_fires(self):
        # One file for all, each case in a namespace of its own: clang-tidy's start is most of its time.
        headers = sorted({line for _, code in BAD for line in code.splitlines() if line.startswith("#include")})
        text, first_lines = "\n".join(headers) + "\n", []
        for number, (_, code) in enumerate(BAD):
            first_lines.append(text.count("\n") + 1)
            body = "\n".join(line for line in code.splitlines() if not line.startswith("#include"))
            text += f"namespace case_{number} {{\n{body}\n}}\n"
        status, output = self.tidy(self.write("common/bad.cpp", text))
        self.assertNotEqual(status, 0)
        found = re.findall(r"bad\.cpp:(\d+):\d+: error: .*\[([^],]+)", output)
        for number, (check, code) in enumerate(BAD):
            with self.subTest(check=check, code=code):
                last = first_lines[number + 1] if number + 1 < len(BAD) else text.count("\n") + 1
                here = [name for line, name in found if first_lines[number] <= int(line) < last]
                self.assertIn(check, here)

    def test_code_that_does_not_compile_fails(self):
        status, text = self.tidy(self.write("common/bad.cpp", "int f() { return undeclared; }\n"))
        self.assertNotEqual(status, 0)
        self.assertIn("clang-diagnostic-error", text)

    def test_headers_are_judged_too(self):
        self.write("common/bad.h", "#pragma once\nclass bad_type {};\n")
        status, text = self.tidy(self.write("common/user.cpp", '#include "bad.h"\n'))
        self.assertNotEqual(status, 0)
        self.assertIn("common/bad.h:2:7: error", text)


if __name__ == "__main__":
    gate_testing.main()
