#!/usr/bin/python3
"""The shape of the tree and the rules that a line of text can break.

Usage: check_tree.py [ROOT]
"""

import os
import re
import sys

import tree

TOP = set(
    """CMakeLists.txt CMakePresets.json README.md CHANGELOG.md CONTRIBUTING.md LICENSE .ci .clang-format .clang-tidy
    .gitignore broker agent common schemas tests tools""".split()
)
LINES_PER_SOURCE_MAX = 600
CPP = (".cpp", ".h", ".c")
SCRIPT = (".py", ".sh", ".cmake", ".txt", "")
# Patterns are spelled so that this file doesn't break its own rules.
TEXT_RULES = [
    # (which paths, pattern, why not)
    (lambda path: path.endswith(CPP), r"catch\s*\(\s*\.\.\.\s*\)",
     "catch what the library is documented to throw, by its type"),
    (lambda path: path.endswith(CPP), r"NOLINT(NEXTLINE|BEGIN|END)?(?!\(|[A-Z])", "a NOLINT names the check that it silences"),
    (lambda path: path.startswith("tests/") and path.endswith(CPP), r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(",
     "tests wait for events, not for time"),
    (lambda path: path.startswith("tests/") and path.endswith(".py"), r"\b(time|asyncio)\.sleep\b|from time import.*\bsleep\b",
     "tests wait for events, not for time"),
    (lambda path: path.startswith("tests/") and path.endswith(SCRIPT), r"(^|[;&|({]|\bdo|\bthen|COMMAND)\s*sleep\s+[0-9.$]",
     "tests wait for events, not for time"),
    (lambda path: path.startswith("tests/"),
     r"\b(GTEST_SK[I]P|DIS[A]BLED_\w+|unittest\.sk[i]p\w*|sk[i]pTest|pytest\.sk[i]p|SK[I]P_RETURN_CODE)\b",
     "a test that can be skipped is worse than none: what it needs is in tools/deps.list"),
    (lambda path: path.endswith((".cmake", "CMakeLists.txt")), r"^.{121,}$", "a line of CMake has at most 120 columns"),
    (lambda path: path != "LICENSE", r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b", "unfinished work is an issue, not a comment"),
    (lambda path: path != "LICENSE", r"(?i)\b(st[u]bs?|place[ ]?h[o]lders?)\b", "say what the thing is, or finish it"),
    (lambda path: True, r"(^|[\s\"'=:(`])/w[o]rk/", "no machine's own path belongs into the tree"),
    (lambda path: True, r"^(<{7}|>{7})( |$)", "a merge was left half done"),
]
# The proofs that these rules hold must spell what the rules forbid.
EXEMPT = {"tests/lint/check_tree_test.py"}


def faults_of_text(path, text):
    for applies, pattern, why in TEXT_RULES:
        if not applies(path):
            continue
        for match in re.finditer(pattern, text, re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path}:{line}: {match[0].strip()!r}: {why}"
    if path.endswith(CPP) and text.count("\n") > LINES_PER_SOURCE_MAX:
        yield f"{path}:{text.count(chr(10))}: more than {LINES_PER_SOURCE_MAX} lines: one file, one subject"
    first_line = text.split("\n", 1)[0]
    if first_line.startswith("#!") and "python" in first_line and first_line != "#!/usr/bin/python3":
        yield f"{path}:1: Python scripts begin with #!/usr/bin/python3, the one that tools/deps gives modules to"


def check(root):
    problems = []
    paths = tree.own_files(root)
    for name in sorted({path.split("/")[0] for path in paths} - TOP):
        problems.append(f"{name}: not in the agreed layout of the top folder")
    for path in paths:
        if path.endswith(CPP) and not re.fullmatch(r"[a-z0-9_]+\.(cpp|h|c)", os.path.basename(path)):
            problems.append(f"{path}: source files are named in snake_case")
        if path in EXEMPT:
            continue
        try:
            problems += faults_of_text(path, tree.read_text(root, path))
        except UnicodeDecodeError:
            if path.endswith(CPP + (".py", ".sh", ".md", ".txt", ".cmake")):
                problems.append(f"{path}: not UTF-8")  # golden bytes and fuzz corpora are not text, and need not be
    return problems, len(paths)


def main():
    root = os.path.realpath(sys.argv[1]) if len(sys.argv) > 1 else tree.root_of(__file__)
    problems, count = check(root)
    if count == 0:
        problems.append(f"{root}: no file found, so nothing was checked")
    return tree.report(problems, f"check_tree: {count} files")


if __name__ == "__main__":
    sys.exit(main())
