"""Which files are ours: the walk that every lint script shares.

It looks at the folder, not at git, so that a file is judged before it is added and a release archive can be checked
too. What .gitignore names is left out by the same names.
"""

import os
import re

SKIPPED_NAMES = {".git", ".cache", "__pycache__", "compile_commands.json"}
SKIPPED_AT_THE_TOP = {"build"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def root_of(script):
    """The source root, seen from a script in tools/lint."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(script))))


def own_files(root):
    """Every file of the project, relative to the root, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        skipped = SKIPPED_NAMES | (SKIPPED_AT_THE_TOP if folder == root else set())
        folders[:] = sorted(name for name in folders if name not in skipped)
        for name in names:
            if name not in skipped:
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def own_cpp_files(root):
    return [path for path in own_files(root) if path.endswith((".cpp", ".h", ".c"))]


def read_text(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def includes(text):
    """(line number, '<' or '"', header) for each include directive."""
    return [(text.count("\n", 0, match.start()) + 1, match[1], match[2]) for match in INCLUDE.finditer(text)]


def report(problems, checked):
    """Prints the problems, or that there are none; the exit status of a lint script."""
    for problem in problems:
        print(problem)
    print(f"{checked}: {len(problems)} problem(s)")
    return 1 if problems else 0
