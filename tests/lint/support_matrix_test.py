#!/usr/bin/python3
"""Proves that tools/support_matrix makes of the facts what they say, and refuses what can't be right."""

import importlib.machinery
import importlib.util
import json
import os
import subprocess

import gate_testing

TOOL = os.path.join(gate_testing.ROOT, "tools", "support_matrix")


def load():
    loader = importlib.machinery.SourceFileLoader("support_matrix", TOOL)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("support_matrix", loader))
    loader.exec_module(module)
    return module


matrix_tool = load()
README = f"# A\n\n{matrix_tool.BEGIN}\nold\n{matrix_tool.END}\n\nB\n"
TESTS = "TEST_F(Sway, IsUp) {\n  test::record_seen(loop_, \"up\");\n}\n\nTEST_F(Sway, Other) {\n  run();\n}\n"


def fact(name, outcome="seen", text="", compositor="sway", version="1.7", test="Sway.IsUp"):
    return {"compositor": compositor, "version": version, "fact": name, "outcome": outcome, "text": text, "test": test}


class SupportMatrixTest(gate_testing.TreeTest):
    def run_tool(self, *arguments):
        return subprocess.run([TOOL, "--root", self.root, *arguments], capture_output=True, text=True, check=False)

    def make_tree(self, facts):
        self.write("README.md", README)
        self.write("tests/integration/a_test.cpp", TESTS)
        for number, one in enumerate(facts):  # each from a process of its own
            self.write(f"facts/{number}.jsonl", json.dumps(one) + "\n")
        return self.run_tool("--facts", os.path.join(self.root, "facts"))

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def test_facts_of_many_processes_become_one_row(self):
        made = self.make_tree([
            *(fact(life) for life in matrix_tool.LIFE), fact("up"), fact("output.mode", "read back"),
            fact("output.scale", "read back"), fact("output.disable", "fails", "it lied"),
            fact("output.power", "fails", "it lied"), fact("reload", "refused", "no way")])
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        readme = self.read("README.md")
        self.assertIn("| sway 1.7 | all | `output.mode`, `.scale` | `output.disable`, `.power` (1) | `reload` (2) |", readme)
        self.assertIn("1. it lied\n2. no way\n", readme)
        self.assertIn("| wayfire | not run here: ", readme)
        self.assertTrue(readme.startswith("# A\n\n") and readme.endswith("\n\nB\n") and "old" not in readme)
        self.assertEqual(self.run_tool("--check").returncode, 0)

    def test_the_same_is_said_once_for_several_compositors(self):
        made = self.make_tree([fact("up"), fact("reload", "refused", "no"), fact("up", compositor="cage"),
                               fact("launch", "refused", "no", compositor="cage")])
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(self.read("README.md").count(" no\n"), 1)
        self.assertIn("| sway 1.7 | up | none | - | `reload` (1) |", self.read("README.md"))

    def test_two_tests_that_saw_different_things_are_named(self):
        made = self.make_tree([fact("up"), fact("output.mode", "read back"), fact("output.mode", "fails", "no", test="A.B")])
        self.assertNotEqual(made.returncode, 0)
        for word in ("sway, output.mode", "Sway.IsUp", "A.B", "read back", "fails"):
            self.assertIn(word, made.stderr)

    def test_what_is_no_fact_is_refused_with_its_place(self):
        for text, word in (("{", "no fact"), ('{"fact": "up"}', "compositor"),
                           (json.dumps(fact("up", "guessed")), "guessed")):
            self.make_tree([])
            self.write("facts/9.jsonl", text + "\n")
            made = self.run_tool("--facts", os.path.join(self.root, "facts"))
            self.assertNotEqual(made.returncode, 0, text)
            self.assertIn("9.jsonl:1", made.stderr)
            self.assertIn(word, made.stderr)

    def test_no_facts_at_all_write_nothing(self):
        self.assertNotEqual(self.make_tree([]).returncode, 0)
        self.assertEqual(self.read("README.md"), README)

    def test_a_compositor_that_nobody_saw_up_has_no_row(self):
        self.assertIn("never recorded as \"up\"", self.make_tree([fact("output.mode", "read back")]).stderr)

    def test_a_section_changed_by_hand_is_found(self):
        self.make_tree([fact("up")])
        self.write("README.md", self.read("README.md").replace("| sway 1.7 | up |", "| sway 1.7 | all |"))
        checked = self.run_tool("--check")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("README.md: its support matrix is not what", checked.stdout)

    def test_a_matrix_changed_by_hand_is_found(self):
        self.make_tree([fact("up")])
        path = "tests/integration/support_matrix.json"
        self.write(path, self.read(path).replace("\n ", "\n"))
        self.assertIn("written by hand?", self.run_tool("--check").stdout)

    def test_a_fact_whose_test_records_nothing_any_more_is_found(self):
        for test in ("Sway.Other", "Sway.Gone"):
            self.make_tree([fact("up"), fact("frozen", test=test)])
            checked = self.run_tool("--check")
            self.assertEqual(checked.returncode, 1)
            self.assertIn(f"sway, frozen: {test} does not record it any more", checked.stdout)

    def test_a_readme_without_its_place_is_refused(self):
        self.make_tree([fact("up")])
        self.write("README.md", "# A\n")
        self.assertIn("must be there, once each", self.run_tool("--check").stderr)


if __name__ == "__main__":
    gate_testing.main()
