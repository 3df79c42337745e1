#!/usr/bin/python3
"""The format gate refuses a badly laid out file, says nothing of a good one, and can mend."""

import os
import shutil

import gate_testing

import check_format

GOOD = "int add(int a, int b) {\n  if (a > b) return a;\n  return a + b;\n}\n"
BAD = [
    ("indentation", "int f() {\n      return 1;\n}\n"),
    ("pointer", "int f(int *p);\n"),
    ("brace", "int f()\n{\n  return 1;\n}\n"),
    ("width", "int f(int " + "a" * 60 + ", int " + "b" * 60 + ");\n"),
    ("order of includes", "#include <vector>\n#include <map>\n"),
]


class FormatGate(gate_testing.TreeTest):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(gate_testing.ROOT, ".clang-format"), self.root)

    def test_accepts_good_layout(self):
        self.write("common/a.cpp", GOOD)
        self.assertEqual(check_format.check(self.root, ["common/a.cpp"], fix=False), [])

    def test_refuses_bad_layout(self):
        for kind, text in BAD:
            with self.subTest(kind=kind):
                self.write("common/b.cpp", text)
                self.assert_refused(check_format.check(self.root, ["common/b.cpp"], fix=False), "common/b.cpp",
                                    "clang-formatted")

    def test_one_bad_file_among_many_is_found(self):
        paths = [f"common/a{number}.cpp" for number in range(2 * check_format.FILES_PER_RUN + 1)]
        for path in paths:
            self.write(path, GOOD)
        self.write(paths[-1], BAD[0][1])
        self.assert_refused(check_format.check(self.root, paths, fix=False), paths[-1])

    def test_mends(self):
        full = self.write("common/b.cpp", BAD[2][1])
        self.assertEqual(check_format.check(self.root, ["common/b.cpp"], fix=True), [])
        with open(full, encoding="utf-8") as file:
            self.assertEqual(file.read(), "int f() { return 1; }\n")

    def test_a_missing_or_broken_configuration_is_an_error(self):
        self.write("common/a.cpp", GOOD)
        self.write(".clang-format", "BasedOnStyle: Nobody\n")
        self.assertNotEqual(check_format.check(self.root, ["common/a.cpp"], fix=False), [])
        os.remove(os.path.join(self.root, ".clang-format"))
        self.assertNotEqual(check_format.check(self.root, ["common/a.cpp"], fix=False), [])


if __name__ == "__main__":
    gate_testing.main()
