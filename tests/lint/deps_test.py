#!/usr/bin/python3
"""tools/deps, with stand-ins for dpkg-query, apt-get, id and sudo, so that nothing is really installed."""

import os
import subprocess

import gate_testing

DEPS = os.path.join(gate_testing.ROOT, "tools", "deps")


class Deps(gate_testing.TreeTest):
    def program(self, name, text):
        os.chmod(self.write(f"bin/{name}", f"#!/bin/bash\n{text}\n"), 0o755)

    def installed(self, *packages):
        lines = "".join(f"echo '{name} ii '\n" for name in packages)
        self.program("dpkg-query", lines + "echo 'gone rc '\nexit 1")

    def run_deps(self, *arguments):
        """Status, output, and what apt-get was asked to do."""
        log = os.path.join(self.root, "apt.log")
        self.program("apt-get", f'echo "$*" >> {log}')
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin"}
        run = subprocess.run([DEPS, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             check=False)
        asked = ""
        if os.path.exists(log):
            with open(log, encoding="utf-8") as file:
                asked = file.read()
        return run.returncode, run.stdout + run.stderr, asked

    def packages(self):
        self.installed()
        status, text, _ = self.run_deps("--print")
        self.assertEqual(status, 0)
        return text.split()

    def test_prints_package_names_only(self):
        packages = self.packages()
        self.assertIn("libzmq3-dev", packages)
        self.assertEqual(len(packages), len(set(packages)))
        for name in packages:
            self.assertRegex(name, r"^[a-z0-9][a-z0-9+.-]+$")

    def test_does_nothing_and_says_nothing_when_all_is_there(self):
        self.installed(*self.packages())
        self.program("id", "echo 0")
        self.assertEqual(self.run_deps(), (0, "", ""))
        self.assertEqual(self.run_deps("--missing"), (0, "", ""))

    def test_installs_just_what_is_missing_as_root(self):
        packages = self.packages()
        self.installed(*(name for name in packages if name not in ("cmake", "weston")))
        self.program("id", "echo 0")
        status, _, asked = self.run_deps()
        self.assertEqual(status, 0)
        self.assertEqual(asked.splitlines()[0], "update -qq")
        self.assertTrue(asked.splitlines()[1].endswith("--no-install-recommends cmake weston"), asked)

    def test_a_removed_package_with_files_left_is_missing(self):
        packages = self.packages()
        self.installed(*packages[1:])
        self.program("dpkg-query", f"echo '{packages[0]} rc '\n" + "".join(f"echo '{name} ii '\n" for name in packages[1:]))
        self.assertEqual(self.run_deps("--missing")[:2], (1, f"{packages[0]}\n"))

    def test_uses_sudo_where_it_works(self):
        self.installed(*self.packages()[1:])
        self.program("id", "echo 1000")
        self.program("sudo", '[[ $1 == -n ]] && shift\nexec "$@"')
        status, _, asked = self.run_deps()
        self.assertEqual(status, 0)
        self.assertIn(self.packages()[0], asked)

    def test_says_the_command_where_it_can_not_act(self):
        first = self.packages()[0]
        self.installed(*self.packages()[1:])
        self.program("id", "echo 1000")
        self.program("sudo", "exit 1")
        status, text, asked = self.run_deps()
        self.assertEqual((status, asked), (1, ""))
        self.assertIn(f"apt-get update && apt-get install --yes --no-install-recommends {first}\n", text)

    def test_fails_when_apt_fails(self):
        self.installed(*self.packages()[1:])
        self.program("id", "echo 0")
        self.program("env", "exit 7")
        self.assertNotEqual(self.run_deps()[0], 0)

    def test_refuses_what_it_does_not_know(self):
        self.assertEqual(self.run_deps("--prnt")[0], 2)


if __name__ == "__main__":
    gate_testing.main()
