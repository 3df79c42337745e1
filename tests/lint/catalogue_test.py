#!/usr/bin/python3
"""schemas/compositors.json against its schema, and against the two other places that know the same: the executables that the
agent tells compositors by, and the support matrix, which tests write."""

import json
import os
import re
import sys
import unittest

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "support", "py"))
import schemas  # noqa: E402


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


KINDS = {kind["name"]: kind for kind in json.loads(read("schemas/compositors.json"))}
MATRIX = json.loads(read("tests/integration/support_matrix.json"))["compositors"]


def agents_executables():
    source = read("agent/wayland/compositor_facts.cpp")
    return set(re.findall(r'"([^"]+)"', re.search(r"kKnownExecutables\{(.*?)\};", source, re.DOTALL)[1]))


class Catalogue(unittest.TestCase):
    def test_the_schema_accepts_it_and_refuses_each_entry_without_a_field(self):
        known = schemas.Schemas()
        self.assertEqual(known.faults("catalogue", {"refused": 0, "compositors": list(KINDS.values())}), [])
        for kind in KINDS.values():
            for field in kind:
                less = {key: value for key, value in kind.items() if key != field}
                self.assertNotEqual(known.faults("catalogue", {"refused": 0, "compositors": [less]}), [], (kind["name"], field))

    def test_names_are_there_once_and_sorted(self):
        names = [kind["name"] for kind in json.loads(read("schemas/compositors.json"))]
        self.assertEqual(names, sorted(set(names), key=str.lower))

    def test_it_has_the_executables_that_the_agent_knows(self):
        wayland = {program for kind in KINDS.values() if kind["kind"] == "wayland" for program in kind["executables"]}
        self.assertGreater(len(agents_executables()), 10)
        self.assertEqual(wayland, agents_executables())

    def test_it_says_what_the_support_matrix_says(self):
        self.assertLessEqual(set(MATRIX), set(KINDS))
        for name, kind in KINDS.items():
            seen = MATRIX.get(name, {"version": "", "facts": {}})
            with self.subTest(name):
                self.assertEqual(kind["versions_seen"], [seen["version"]] if seen["version"] else [])
                self.assertEqual(kind["driven"], sorted(fact for fact, found in seen["facts"].items()
                                                        if found["outcome"] == "read back"))


if __name__ == "__main__":
    unittest.main()
