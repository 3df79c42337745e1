#!/usr/bin/python3
"""Our scripts: bash -n and shellcheck over the shell ones, a compile over the Python ones.

Usage: check_scripts.py [ROOT]
"""

import os
import subprocess
import sys

import tree


def kind_of(root, path):
    """"shell", "python" or nothing, by name and by first line."""
    if path.endswith(".py"):
        return "python"
    if path.endswith(".sh"):
        return "shell"
    with open(os.path.join(root, path), "rb") as file:
        first_line = file.readline(200)
    if not first_line.startswith(b"#!"):
        return None
    words = set(first_line[2:].replace(b"/", b" ").split())
    if words & {b"bash", b"sh", b"dash"}:
        return "shell"
    return "python" if b"python3" in words else None


def faults_of_shell(root, path):
    for command in (["bash", "-n", path], ["shellcheck", "--format=gcc", path]):
        run = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            yield from ((run.stdout + run.stderr).strip() or f"{path}: {command[0]} ended with {run.returncode}").splitlines()


def faults_of_python(root, path):
    # Compiled in memory: py_compile would write its result into the tree.
    with open(os.path.join(root, path), "rb") as file:
        source = file.read()
    try:
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        yield f"{path}: {error}"


def check(root):
    problems, count = [], 0
    for path in tree.own_files(root):
        kind = kind_of(root, path)
        if kind is None:
            continue
        count += 1
        problems += faults_of_shell(root, path) if kind == "shell" else faults_of_python(root, path)
    return problems, count


def main():
    root = os.path.realpath(sys.argv[1]) if len(sys.argv) > 1 else tree.root_of(__file__)
    problems, count = check(root)
    if count == 0:
        problems.append(f"{root}: no script found, so nothing was checked")
    return tree.report(problems, f"check_scripts: {count} scripts")


if __name__ == "__main__":
    sys.exit(main())
