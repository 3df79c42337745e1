#!/usr/bin/python3
"""The manual pages: mandoc accepts them, and they say what the programs say of themselves.

Usage: man_pages_test.py BIN_FOLDER MAN_FOLDER
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

BIN = MAN = ""
PAGES = {"compositord.8": "compositord", "compositor-agent.1": "compositor-agent", "compositorctl.1": "compositorctl",
         "trace_replay.1": "trace_replay", "compositord.yaml.5": None}
SUBCOMMANDS = {"compositorctl": ["ls", "show", "manifest", "diff", "outages", "sla", "watch", "run", "jobs", "job", "cancel",
                                 "req", "screenshot", "sub", "dump", "alerts", "ack", "silence", "maintenance", "wait",
                                 "diagnose", "top", "peers"], "compositor-agent": ["run"]}

# Commands below a command.
BELOW = [("compositorctl", "silence", "add"), ("compositorctl", "silence", "expire"),
         ("compositorctl", "maintenance", "start"), ("compositorctl", "maintenance", "stop")]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def lint(path):
    """What mandoc has to say of a page; nothing when it is right."""
    run = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True, check=False)
    return run.stdout + run.stderr


def help_of(*command):
    run = subprocess.run([os.path.join(BIN, command[0]), *command[1:], "--help"], capture_output=True, text=True, check=True)
    return run.stdout


def options_of(help_text):
    """Every -x and --long that a help text lists as an option."""
    found = set()
    for names in re.findall(r"^  (-[A-Za-z-][\w,-]*)", help_text, re.MULTILINE):
        found.update(names.split(","))
    return found


def options_of_page(text):
    """Every option that has an item of its own: '.It Fl o , -output Ar format'."""
    found = set()
    for line in re.findall(r"^\.It Fl (.*)$", text, re.MULTILINE):
        for name in re.split(r"\s+,\s+", re.split(r"\s+Ar\s", line)[0]):
            found.add("-" + name.strip())
    return found


def subcommands_of(help_text):
    part = help_text.split("Subcommands:\n", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^  ([a-z]+)", part, re.MULTILINE)


def keys_of(yaml):
    """{"heartbeat.interval": "1s"} of what --check-config prints; lists and what depends on the user have no value."""
    keys, section = {}, ""
    for line in yaml.splitlines():
        match = re.match(r"^(\s*)([a-z_]+):\s*(.*)$", line)
        if not match:
            continue
        indent, name, value = match.groups()
        if indent:
            keys[f"{section}.{name}"] = None if name == "dir" else value
        elif value or name in ("bus", "feed"):
            keys[name] = None
        else:
            section = name
    return keys


def items_of_page(text):
    """{"heartbeat.interval": its text} of the keys' page."""
    items = re.split(r"^\.It Cm ", text.split(".El")[0], flags=re.MULTILINE)[1:]
    return {item.split("\n", 1)[0]: item.split("\n", 1)[1] for item in items}


class ManualPages(unittest.TestCase):
    def test_every_page_is_there_and_no_other(self):
        self.assertEqual(sorted(os.listdir(MAN)), sorted(PAGES))

    def test_mandoc_accepts_them(self):
        for page in PAGES:
            self.assertEqual(lint(os.path.join(MAN, page)), "", page)

    def test_mandoc_would_refuse_a_wrong_one(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "wrong.1")
            with open(path, "w", encoding="utf-8") as file:
                file.write(read(os.path.join(MAN, "compositorctl.1")).replace(".El\n", "", 1))
            self.assertNotEqual(lint(path), "")

    def test_man_shows_them(self):
        for page in PAGES:
            run = subprocess.run(["man", "--warnings", "-l", os.path.join(MAN, page)], capture_output=True, text=True,
                                 check=True, env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
            self.assertEqual(run.stderr, "", page)
            self.assertIn("SYNOPSIS" if PAGES[page] else "DESCRIPTION", run.stdout)

    def test_pages_and_help_have_the_same_options(self):
        for page, program in PAGES.items():
            if program is None:
                continue
            helps = [help_of(program)] + [help_of(program, command) for command in SUBCOMMANDS.get(program, [])]
            helps += [help_of(*command) for command in BELOW if command[0] == program]
            told = set().union(*map(options_of, helps))
            self.assertGreater(len(told), 3, "the help text has another form than this test knows")
            self.assertEqual(told, options_of_page(read(os.path.join(MAN, page))), page)

    def test_pages_have_the_same_subcommands(self):
        for program, commands in SUBCOMMANDS.items():
            told = subcommands_of(help_of(program))
            self.assertEqual(told, sorted(commands, key=told.index))
            headings = re.findall(r"^\.Ss ([a-z]+)$", read(os.path.join(MAN, program + ".1")), re.MULTILINE)
            self.assertEqual(sorted(headings), sorted(told))

    def test_every_key_of_the_configuration_has_its_default(self):
        run = subprocess.run([os.path.join(BIN, "compositord"), "--check-config"], capture_output=True, text=True, check=True)
        keys = keys_of(run.stdout)
        self.assertGreater(len(keys), 20, run.stdout)
        items = items_of_page(read(os.path.join(MAN, "compositord.yaml.5")))
        self.assertEqual(sorted(items), sorted(keys))
        for key, default in keys.items():
            if default is not None:
                self.assertRegex(items[key], rf"(?m)^Default: {re.escape(default)}\.$", key)


class Readers(unittest.TestCase):
    """That the readers above see what they are there to see."""

    def test_options(self):
        self.assertEqual(options_of("Options:\n  -h,--help   Print\n  --feed ENDPOINT ...   x\n      --not an option\n"),
                         {"-h", "--help", "--feed"})
        self.assertEqual(options_of_page(".It Fl h , -help\n.It Fl -feed Ar x\n.It Fl l , -label Ar k Ns = Ns Ar v\n"),
                         {"-h", "--help", "--feed", "-l", "--label"})

    def test_keys(self):
        self.assertEqual(keys_of('bus:\n  - "x"\nstate_dir: "y"\nlog:\n  level: info\n'),
                         {"bus": None, "state_dir": None, "log.level": "info"})


if __name__ == "__main__":
    BIN, MAN = (os.path.abspath(folder) for folder in (sys.argv.pop(1), sys.argv.pop(1)))
    unittest.main(verbosity=2)
