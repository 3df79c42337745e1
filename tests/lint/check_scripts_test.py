#!/usr/bin/python3
"""The script gate refuses a broken shell or Python script, by suffix or by first line."""

import gate_testing

import check_scripts

WRONG = [
    ("tools/run", "#!/bin/bash\nif true; then\n", "syntax error"),
    ("tools/run.sh", "#!/bin/bash\nrm -rf $1/tmp\n", "SC2086"),
    ("tools/run", "#!/usr/bin/env bash\ncd /tmp\n", "SC2164"),
    ("tools/run.py", "def f(:\n", "invalid syntax"),
    ("tools/run", "#!/usr/bin/python3\nreturn 1\n", "outside function"),
]


class ScriptGate(gate_testing.TreeTest):
    def test_refuses_each_broken_script(self):
        for path, text, complaint in WRONG:
            with self.subTest(path=path, text=text):
                full = self.write(path, text)
                problems, count = check_scripts.check(self.root)
                self.assertEqual(count, 1)
                self.assertIn(complaint, "\n".join(problems))
                self.assertIn(path, "\n".join(problems))
                gate_testing.os.remove(full)

    def test_accepts_good_scripts_and_counts_them(self):
        self.write("tools/a", "#!/bin/bash\nset -eu\necho \"$1\"\n")
        self.write("tools/b", "#!/usr/bin/python3\nprint(1)\n")
        self.write("tools/c.py", "x = 1\n")
        self.write("tools/notes.txt", "if (\n")
        self.assertEqual(check_scripts.check(self.root), ([], 3))


if __name__ == "__main__":
    gate_testing.main()
