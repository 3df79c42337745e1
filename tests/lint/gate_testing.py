"""What the proofs of the gates share: the gates themselves, and trees made for one test."""

import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tools", "lint"))


class TreeTest(unittest.TestCase):
    """A test with a temporary folder that looks like a source root."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="compositord-lint-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        return full

    def assert_refused(self, problems, path, *words):
        """Exactly one problem, about this file, that says these words."""
        self.assertEqual(len(problems), 1, problems)
        for word in (path, *words):
            self.assertIn(word, problems[0])


def main():
    unittest.main(verbosity=2)
