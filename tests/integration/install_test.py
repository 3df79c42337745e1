#!/usr/bin/python3
"""What `cmake --install` leaves behind: the programs, and the .desktop file that permits the agent screenshots of KWin.

usage: install_test.py BUILD_FOLDER
"""

import configparser
import os
import subprocess
import sys
import tempfile
import unittest

BUILD = ""
DESKTOP_FILE = "share/applications/compositor-agent.desktop"


def install(prefix, destdir=None):
    """Installs it as a user would, without touching what it was configured for."""
    environment = {name: value for name, value in os.environ.items() if name != "DESTDIR"}
    if destdir:
        environment["DESTDIR"] = destdir
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], env=environment, stdout=subprocess.DEVNULL, check=True)


def entry(path):
    parser = configparser.RawConfigParser(delimiters=["="])
    parser.optionxform = str
    with open(path, encoding="utf-8") as file:
        parser.read_file(file)
    return dict(parser["Desktop Entry"])


class Installed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)

    def test_programs_and_a_valid_desktop_file_that_names_the_agent_where_it_is(self):
        os.mkdir(os.path.join(self.root, "usr"))
        os.symlink("usr", os.path.join(self.root, "link"))
        install(os.path.join(self.root, "link"))
        for program in ("compositord", "compositor-agent", "compositorctl", "trace_replay"):
            self.assertTrue(os.access(os.path.join(self.root, "usr", "bin", program), os.X_OK), program)
        path = os.path.join(self.root, "usr", DESKTOP_FILE)
        said = subprocess.run(["desktop-file-validate", path], capture_output=True, text=True, check=False)
        self.assertEqual((said.returncode, said.stdout + said.stderr), (0, ""))
        # As the kernel will name its executable: KWin compares letters.
        self.assertEqual(entry(path), {
            "Type": "Application", "Name": "compositor-agent", "NoDisplay": "true",
            "Comment": "Lets compositor-agent take screenshots of KWin; started by nobody from a menu",
            "Exec": os.path.join(self.root, "usr/bin/compositor-agent"),
            "X-KDE-DBUS-Restricted-Interfaces": "org.kde.KWin.ScreenShot2"})

    def test_a_package_names_the_agent_where_it_will_be(self):
        install("/usr", destdir=self.root)
        self.assertEqual(entry(os.path.join(self.root, "usr", DESKTOP_FILE))["Exec"], "/usr/bin/compositor-agent")


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main()
