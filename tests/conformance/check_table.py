#!/usr/bin/python3
"""The table of README.md and the tests of this folder: each test that is named exists, and each test here is named.

Usage: check_table.py [ROOT]
"""

import glob
import os
import re
import sys

ROWS_MIN = 80  # fewer: the table was not read as it should be


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def cpp_tests(folder):
    """"Suite.Name" of each GoogleTest of this folder."""
    tests = set()
    for path in glob.glob(os.path.join(folder, "*_test.cpp")):
        tests |= {f"{suite}.{name}" for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", read(path), re.MULTILINE)}
    return tests


def python_tests(folder):
    """(script, class, test) of each unittest in this folder's scripts."""
    tests = set()
    for path in glob.glob(os.path.join(folder, "*.py")):
        case = None
        for line in read(path).splitlines():
            if found := re.match(r"class (\w+)\(", line):
                case = found[1]
            elif found := re.match(r"    def (test_\w+)\(self\)", line):
                tests.add((os.path.basename(path), case, found[1]))
    return tests


def table_rows(text):
    """The rows of all tables as (line number, cells), without their heads."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("| ") and not line.startswith("| text"):
            yield number, [cell.strip() for cell in line.strip("|").split("|")]


def check(root):
    folder = os.path.join(root, "tests", "conformance")
    own = {" ".join(test) for test in python_tests(folder)} | cpp_tests(folder)
    existing = own | {" ".join(test) for test in python_tests(os.path.join(root, "tests", "integration"))}
    named, rows = set(), 0
    for number, cells in table_rows(read(folder, "README.md")):
        rows += 1
        if len(cells) != 4:
            yield f"README.md:{number}: {len(cells)} columns, not 4"
            continue
        tests = {" ".join(test) for test in re.findall(r"`(\w+\.py)` `(\w+)\.(test_\w+)`", cells[2])}
        tests |= set(re.findall(r"`([A-Z]\w*\.[A-Z]\w*)`", cells[2]))
        if not tests:
            yield f"README.md:{number}: no test is named"
        for test in sorted(tests - existing):
            yield f"README.md:{number}: there is no test {test}"
        named |= tests
    for test in sorted(own - named):
        yield f"README.md: {test} stands in no row"
    if rows < ROWS_MIN:
        yield f"README.md: only {rows} rows were found"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
    problems = list(check(root))
    print("\n".join(problems) or "the table and the tests agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
