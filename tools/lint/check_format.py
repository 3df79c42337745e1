#!/usr/bin/python3
"""clang-format over our C++ files, as .clang-format says.

Usage: check_format.py [--fix] [--root ROOT] [FILE ...]   (no FILE: all)
"""

import argparse
import os
import subprocess
import sys

import tree

FILES_PER_RUN = 20


def check(root, paths, fix):
    """Problems, one line each. With `fix` the files are rewritten and there are none."""
    problems = []
    if not os.path.isfile(os.path.join(root, ".clang-format")):
        return [f"{root}: there is no .clang-format"]
    for begin in range(0, len(paths), FILES_PER_RUN):
        mode = ["-i"] if fix else ["--dry-run", "--Werror", "--ferror-limit=1"]
        run = subprocess.run(["clang-format", "--style=file", *mode, *paths[begin:begin + FILES_PER_RUN]], cwd=root,
                             capture_output=True, text=True, check=False)
        found = [line for line in run.stderr.splitlines() if " error: " in line or "rror:" in line.split(" ")[0]]
        if run.returncode != 0 and not found:
            found = [run.stderr.strip() or f"clang-format ended with {run.returncode}"]
        problems += found
    return problems


def main():
    parser = argparse.ArgumentParser(description="clang-format over our C++ files")
    parser.add_argument("--fix", action="store_true", help="rewrite the files")
    parser.add_argument("--root", default=tree.root_of(__file__))
    parser.add_argument("files", nargs="*", metavar="FILE")
    arguments = parser.parse_args()
    paths = [os.path.abspath(path) for path in arguments.files] or tree.own_cpp_files(arguments.root)
    problems = check(arguments.root, paths, arguments.fix)
    if not paths:
        problems.append(f"{arguments.root}: no C++ file found, so nothing was checked")
    if problems:
        problems.append("(tools/lint/check_format.py --fix FILE ... lays them out)")
    return tree.report(problems, f"check_format: {len(paths)} files")


if __name__ == "__main__":
    sys.exit(main())
