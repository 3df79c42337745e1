#!/usr/bin/python3
"""tools/test, with stand-ins for cmake, ctest and the packages: what it runs, in which order, and how it ends."""

import os
import shutil
import subprocess

import gate_testing


class TestScript(gate_testing.TreeTest):
    def setUp(self):
        super().setUp()
        for path in ("tools/test", "tools/deps", "tools/deps.list", ".ci/run"):
            os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
            shutil.copy(os.path.join(gate_testing.ROOT, path), os.path.join(self.root, path))
        self.log = os.path.join(self.root, "log")
        self.program("tools/deps", f"echo deps >> {self.log}")
        self.program("bin/cmake", f'echo "cmake $*" >> {self.log}')
        self.program("bin/nproc", "echo 2")
        self.program("bin/ccache", "true")
        self.ctest("100% tests passed")

    def program(self, path, text):
        os.chmod(self.write(path, f"#!/bin/bash\n{text}\n"), 0o755)

    def ctest(self, summary, status=0, failing_preset=""):
        self.program("bin/ctest", f'echo "ctest $*" >> {self.log}\necho "{summary}"\n'
                     f'if [[ -z "{failing_preset}" || $2 == "{failing_preset}" ]]; then exit {status}; fi')

    def run_it(self, *arguments, script="tools/test", path=None):
        """Status, output lines, and the commands that ran."""
        if os.path.exists(self.log):
            os.remove(self.log)
        run = subprocess.run([os.path.join(self.root, script), *arguments], capture_output=True, text=True, check=False,
                             env={"PATH": path or f"{self.root}/bin:/usr/bin:/bin"})
        commands = []
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as file:
                commands = file.read().splitlines()
        return run.returncode, (run.stdout + run.stderr).splitlines(), commands

    def presets(self, commands):
        return [words[2] for words in map(str.split, commands) if words[0] == "ctest"]

    def test_runs_dependencies_then_dev_then_sanitizers_and_ends_with_the_summary(self):
        for script in ("tools/test", ".ci/run"):
            with self.subTest(script=script):
                status, lines, commands = self.run_it(script=script)
                self.assertEqual((status, lines[-1]), (0, "100% tests passed"))
                self.assertEqual(commands[0], "deps")
                self.assertEqual([" ".join(words.split()[:3]) for words in commands[1:]],
                                 ["cmake --preset dev", "cmake --build --preset", "ctest --preset dev",
                                  "cmake --preset asan-ubsan", "cmake --build --preset", "ctest --preset asan-ubsan"])

    def test_options_choose_the_presets(self):
        self.assertEqual(self.presets(self.run_it("--quick")[2]), ["dev"])
        self.assertEqual(self.presets(self.run_it("--tsan")[2]), ["tsan"])
        self.assertEqual(self.presets(self.run_it("--preset", "release", "--preset", "tsan")[2]), ["release", "tsan"])
        self.assertNotIn("deps", self.run_it("--no-deps")[2])

    def test_hands_the_rest_to_ctest(self):
        commands = self.run_it("--quick", "--", "-R", "Worker Table")[2]
        self.assertTrue(commands[-1].endswith("-R Worker Table"), commands)

    def test_stops_at_the_first_preset_that_fails(self):
        self.ctest("1 tests failed out of 2", 8, "dev")
        status, lines, commands = self.run_it()
        self.assertEqual((status, lines[-1]), (8, "1 tests failed out of 2"))
        self.assertEqual(self.presets(commands), ["dev"])

    def test_the_last_preset_decides_too(self):
        self.ctest("1 tests failed out of 2", 8, "asan-ubsan")
        self.assertEqual(self.run_it()[0], 8)

    def test_a_build_that_fails_is_not_tested(self):
        self.program("bin/cmake", "exit 3")
        status, _, commands = self.run_it()
        self.assertEqual((status, self.presets(commands)), (3, []))

    def test_does_without_ccache(self):
        os.remove(os.path.join(self.root, "bin", "ccache"))
        for name in ("bash", "dirname", "readlink"):
            os.symlink(shutil.which(name), os.path.join(self.root, "bin", name))
        commands = self.run_it(path=f"{self.root}/bin")[2]
        self.assertIn("-DCMAKE_CXX_COMPILER_LAUNCHER= ", f"{commands[1]} ")

    def test_refuses_what_it_does_not_know(self):
        for arguments in (["--fast"], ["--preset"]):
            status, _, commands = self.run_it(*arguments)
            self.assertEqual((status, commands), (2, []))


if __name__ == "__main__":
    gate_testing.main()
