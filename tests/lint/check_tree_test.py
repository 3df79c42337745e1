#!/usr/bin/python3
"""The tree gate refuses each thing that it names, and nothing else."""

import gate_testing

import check_tree

GOOD_TREE = {
    "README.md": "# compositord\n",
    "broker/main.cpp": "int main() { return 0; }  // sleeps in poll(), catches std::exception\n",
    "tests/unit/a_test.cpp": "// No sleep here. NOLINTNEXTLINE(google-explicit-constructor): because\n",
    "tests/integration/kill.py": "#!/usr/bin/python3\nwait_for(asleep=True)\n",
    "tests/integration/run.sh": "#!/bin/bash\necho sleepy\n",
    "tools/test": "#!/bin/bash\nsleep 0.1\n",
}

WRONG = [
    ("notes.md", "x", "agreed layout"),
    ("vendor/lib.txt", "x", "agreed layout"),
    ("tests/unit/a_test.cpp", "std::this_thread::sleep_for(1s);", "wait for events"),
    ("tests/unit/a_test.cpp", "  usleep (5);", "wait for events"),
    ("tests/support/wait.h", "nanosleep(&t, nullptr);", "wait for events"),
    ("tests/integration/kill.py", "time.sleep(1)", "wait for events"),
    ("tests/integration/kill.py", "from time import monotonic, sleep", "wait for events"),
    ("tests/integration/kill.py", "await asyncio.sleep(1)", "wait for events"),
    ("tests/integration/run.sh", "kill -9 $pid; sleep 2", "wait for events"),
    ("tests/integration/run.sh", "while true; do sleep 0.1; done", "wait for events"),
    ("tests/integration/run", "#!/bin/bash\nsleep $n", "wait for events"),
    ("tests/unit/late.cmake", "add_test(NAME x COMMAND sleep 3)", "wait for events"),
    ("tests/unit/a_test.cpp", "if (!sway) GTEST_SKIP() << 1;", "worse than none"),
    ("tests/unit/a_test.cpp", "TEST(A, DISABLED_Slow) {", "worse than none"),
    ("tests/integration/kill.py", "@unittest.skipIf(x)", "worse than none"),
    ("tests/unit/late.cmake", "SKIP_RETURN_CODE 77", "worse than none"),
    ("broker/main.cpp", "} catch (...) {", "by its type"),
    ("broker/main.cpp", "} catch(...){", "by its type"),
    ("broker/main.cpp", "int x;  // NOLINT", "names the check"),
    ("broker/main.cpp", "// NOLINTNEXTLINE", "names the check"),
    ("broker/main.cpp", "// TODO: later", "issue"),
    ("tools/x.py", "# FIXME", "issue"),
    ("README.md", "This is a Stub.", "finish it"),
    ("README.md", "a placeholder", "finish it"),
    ("README.md", "cd /wo" "rk/main", "machine's own path"),
    ("README.md", "<<<<<<< HEAD", "half done"),
    ("broker/main.cpp", "int x;\n" * 601, "one subject"),
    ("broker/CMakeLists.txt", "# " + "x" * 119, "120 columns"),
    ("tests/unit/late.cmake", "  " + "x" * 119, "120 columns"),
    ("broker/MainLoop.cpp", "int x;", "snake_case"),
    ("tools/x.py", "#!/usr/bin/env python3\n", "/usr/bin/python3"),
]


class TreeGate(gate_testing.TreeTest):
    def test_refuses_each_wrong_text(self):
        for path, text, complaint in WRONG:
            with self.subTest(path=path, text=text[:40]):
                for good_path, good_text in GOOD_TREE.items():
                    self.write(good_path, good_text)
                self.assertEqual(check_tree.check(self.root)[0], [])
                full = self.write(path, text)
                self.assert_refused(check_tree.check(self.root)[0], path.split("/")[0], complaint)
                gate_testing.os.remove(full)
                if path.split("/")[0] == "vendor":
                    gate_testing.os.rmdir(gate_testing.os.path.dirname(full))

    def test_accepts_exactly_600_lines(self):
        self.write("broker/main.cpp", "int x;\n" * 600)
        self.assertEqual(check_tree.check(self.root)[0], [])

    def test_looks_past_build_and_git(self):
        self.write("build/dev/generated.cpp", "// TODO")
        self.write(".git/config", "/wo" "rk/")
        self.write("broker/main.cpp", "int x;\n")
        self.assertEqual(check_tree.check(self.root), ([], 1))

    def test_a_folder_called_build_further_down_is_ours(self):
        self.write("tools/build/x.cpp", "// TODO")
        self.assert_refused(check_tree.check(self.root)[0], "tools/build/x.cpp", "issue")

    def test_bytes_that_are_no_text_are_left_alone_unless_they_are_source(self):
        for path in ("tests/fuzz/corpus/a", "broker/main.cpp"):
            full = self.write(path, "")
            with open(full, "wb") as file:
                file.write(b"\xff\xfe\x00")
        self.assert_refused(check_tree.check(self.root)[0], "broker/main.cpp", "UTF-8")


if __name__ == "__main__":
    gate_testing.main()
