#!/usr/bin/python3
"""run_tidy.py takes the sources it should take, and its exit status is clang-tidy's verdict."""

import json
import os
import shutil
import subprocess
import sys

import gate_testing

import run_tidy


class RunTidy(gate_testing.TreeTest):
    def setUp(self):
        super().setUp()
        shutil.copy(os.path.join(gate_testing.ROOT, ".clang-tidy"), self.root)
        self.write("common/base/low.h", "#pragma once\nint low();\n")
        self.write("common/base/high.h", '#pragma once\n#include "common/base/low.h"\nint high();\n')
        self.write("common/base/low.cpp", '#include "common/base/low.h"\nint low() { return 1; }\n')
        self.write("broker/user.cpp", '#include "common/base/high.h"\nint user() { return high(); }\n')
        self.write("agent/other.cpp", "int other() { return 2; }\n")
        self.built = ["common/base/low.cpp", "broker/user.cpp", "agent/other.cpp"]
        self.build = os.path.join(self.root, "build", "dev")
        os.makedirs(self.build)
        generated = self.write("build/dev/generated.cpp", "class bad_type {};\n")
        with open(os.path.join(self.build, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump([{"directory": self.root, "file": path, "command": f"c++ -std=c++20 -I{self.root} -c {path}"}
                       for path in [*self.built, generated]], file)

    def run_it(self, *arguments):
        run = subprocess.run([sys.executable, os.path.join(gate_testing.ROOT, "tools", "lint", "run_tidy.py"), "--root",
                              self.root, *arguments], capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr

    def commit_all(self):
        git = ["git", "-C", self.root, "-c", "user.name=test", "-c", "user.email=test@localhost"]
        self.write(".gitignore", "/build/\n")
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
            subprocess.run([*git, *words], check=True)

    def test_takes_our_own_built_sources(self):
        self.assertEqual(run_tidy.sources_of_build(self.root, self.build), sorted(self.built))

    def test_a_changed_header_touches_all_who_include_it(self):
        self.assertEqual(run_tidy.touched_by(self.root, {"common/base/low.h"}),
                         {"common/base/low.h", "common/base/high.h", "common/base/low.cpp", "broker/user.cpp"})

    def test_good_tree_passes_and_bad_source_fails(self):
        self.assertEqual(self.run_it()[0], 0, self.run_it()[1])
        self.write("agent/other.cpp", "typedef int Number;\nint Other() { return 0; }\n")
        status, text = self.run_it()
        self.assertEqual(status, 1)
        self.assertIn("modernize-use-using", text)
        self.assertIn("readability-identifier-naming", text)

    def test_takes_only_what_lies_under_a_beginning(self):
        self.write("agent/other.cpp", "typedef int Number;\n")
        self.assertEqual(self.run_it("broker", "common/base")[0], 0)
        self.assertEqual(self.run_it("agent")[0], 1)
        status, text = self.run_it("nowhere")
        self.assertEqual(status, 1)
        self.assertIn("nothing was checked", text)

    def test_takes_only_what_changed_since_a_revision(self):
        self.write("agent/other.cpp", "typedef int Number;\n")
        self.commit_all()
        self.assertIn("0 sources", self.run_it("--since", "HEAD")[1])
        self.write("common/base/low.h", "#pragma once\nint low();\nint lower();\n")
        status, text = self.run_it("--since", "HEAD")
        self.assertEqual(status, 0, text)
        self.assertIn("2 sources", text)


if __name__ == "__main__":
    gate_testing.main()
