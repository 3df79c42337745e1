#!/usr/bin/python3
"""clang-tidy over our sources, several at a time, as .clang-tidy says.

Usage: run_tidy.py [--build DIR] [--since REVISION] [-j N] [PATH-BEGINNING ...]

--since takes only what changed after REVISION (the working tree counts), and the sources that include a changed header.
A path beginning, e.g. broker/core, takes only what lies there.
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys

import tree


def sources_of_build(root, build):
    """Our own sources among those that the build compiles, relative to the root."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    ours = set(tree.own_cpp_files(root))
    built = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), root) for entry in commands}
    return sorted(built & ours)


def changed_files(root, revision):
    def git(*words):
        return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()

    return set(git("diff", "--name-only", revision)) | set(git("ls-files", "--others", "--exclude-standard"))


def touched_by(root, changed):
    """`changed` and everything that includes it, directly or not."""
    included_by = {}
    for path in tree.own_cpp_files(root):
        for _, kind, header in tree.includes(tree.read_text(root, path)):
            if kind == '"':
                included_by.setdefault(header, set()).add(path)
    touched, waiting = set(changed), list(changed)
    while waiting:
        for user in included_by.get(waiting.pop(), ()):
            if user not in touched:
                touched.add(user)
                waiting.append(user)
    return touched


def tidy(root, build, path):
    command = ["clang-tidy", "--quiet", "-p", build, os.path.join(root, path)]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return None
    return run.stdout.strip() or run.stderr.strip() or f"{path}: clang-tidy ended with {run.returncode}"


def main():
    parser = argparse.ArgumentParser(description="clang-tidy over our sources")
    parser.add_argument("--root", default=tree.root_of(__file__))
    parser.add_argument("--build", help="a configured build folder (default: build/dev)")
    parser.add_argument("--since", metavar="REVISION", help="only what changed since then")
    parser.add_argument("-j", type=int, default=os.cpu_count(), dest="jobs")
    parser.add_argument("beginnings", nargs="*", metavar="PATH-BEGINNING")
    arguments = parser.parse_args()
    root = os.path.realpath(arguments.root)
    build = os.path.abspath(arguments.build or os.path.join(root, "build", "dev"))

    paths = sources_of_build(root, build)
    if arguments.beginnings:
        paths = [path for path in paths if path.startswith(tuple(arguments.beginnings))]
    if arguments.since:
        touched = touched_by(root, changed_files(root, arguments.since))
        paths = [path for path in paths if path in touched]
    elif not paths:
        print("run_tidy: no source fits, so nothing was checked")
        return 1
    problems = []
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for text in pool.map(lambda path: tidy(root, build, path), paths):
            if text:
                problems.append(text)
    return tree.report(problems, f"run_tidy: {len(paths)} sources")


if __name__ == "__main__":
    sys.exit(main())
