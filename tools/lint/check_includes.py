#!/usr/bin/python3
"""Who may include whom. The table below is the architecture; a test runs this over the tree.

Usage: check_includes.py [ROOT]
"""

import dataclasses
import os
import re
import sys

import tree

# Standard headers that bring no clock, no randomness, no input or output, no thread and no locale: all a core may use.
PURE_STD = set(
    """algorithm any array bit bitset charconv chrono climits cmath compare concepts cstddef cstdint cstring deque
    exception functional initializer_list iterator limits list map memory new numbers numeric optional queue ratio set
    span stack string string_view tuple type_traits typeindex typeinfo unordered_map unordered_set utility variant
    vector version""".split()
)
# The rest of C++20's library, without what clang 14 can't parse (ranges, source_location) and g++ 12 hasn't (format).
IMPURE_STD = set(
    """atomic barrier cassert cctype cerrno cfenv cfloat cinttypes clocale complex condition_variable coroutine
    csetjmp csignal cstdarg cstdio cstdlib ctime cwchar cwctype execution filesystem forward_list fstream future
    iomanip ios iosfwd iostream istream latch locale memory_resource mutex ostream random regex scoped_allocator
    semaphore shared_mutex sstream stdexcept stop_token streambuf strstream syncstream system_error thread
    valarray""".split()
)
# What the kernel and the C library offer: <poll.h>, <sys/socket.h>, <linux/…>.
SYSTEM = re.compile(
    r"^((sys|linux|arpa|net|netinet)/[a-z0-9_]+|poll|unistd|fcntl|signal|spawn|dirent|dlfcn|endian|errno|glob|grp|"
    r"ifaddrs|libgen|limits|locale|netdb|pthread|pwd|sched|stddef|stdint|stdio|stdlib|string|syslog|termios|time)\.h$"
)

# Third-party libraries by the headers they are known by.
LIBRARIES = {
    "fmt": re.compile(r"^fmt/"),
    "expected": re.compile(r"^tl/expected\.hpp$"),
    "sodium": re.compile(r"^sodium(\.h$|/)"),
    "png": re.compile(r"^png\.h$"),
    "msgpack": re.compile(r"^msgpack(\.hpp$|/)"),
    "nlohmann": re.compile(r"^nlohmann/"),
    "czmq": re.compile(r"^czmq\.h$"),
    "zmq": re.compile(r"^zmq[a-z_]*\.h(pp)?$"),
    "sqlite": re.compile(r"^sqlite3[a-z]*\.h$"),
    "yaml": re.compile(r"^yaml-cpp/"),
    "spdlog": re.compile(r"^spdlog/"),
    "curl": re.compile(r"^curl/curl\.h$"),
    "xcb": re.compile(r"^(xcb/[a-z_]+|X11/Xauth)\.h$"),
    "pipewire": re.compile(r"^(pipewire|spa)/"),
    "sdbus": re.compile(r"^sdbus-c\+\+/"),
    "wayland": re.compile(r"^wayland-(client|client-core|client-protocol|util|version|cursor|server)(-core)?\.h$"),
    "cairo": re.compile(r"^cairo\.h$"),
    "cli": re.compile(r"^CLI/"),
    "test": re.compile(r"^(gtest|gmock)/"),
}
# Written by wayland-scanner into the build folder, and included as <…>: no file of ours.
GENERATED = re.compile(r"^[a-z0-9-]+-(client-protocol|protocol)\.h$")

# In exactly one source of the folder, so that what they throw is caught in one place.
ONLY_ONE_SOURCE = {"msgpack": "common/msg/", "nlohmann": "common/msg/"}

CLOCK = "common/base/clock.h"


@dataclasses.dataclass
class Rule:
    """What files whose path begins with `where` may include. Of several that fit, the longest counts."""

    where: str
    ours: list  # beginnings of paths
    libraries: set = dataclasses.field(default_factory=set)
    std: set = dataclasses.field(default_factory=lambda: PURE_STD | IMPURE_STD)
    system: bool = True  # kernel and C library headers
    clock: bool = False  # may it read the clock?
    one_header: str = ""  # one system header, though `system` is off


def pure(where, ours, libraries=(), std=(), **more):
    return Rule(where, ours, {"fmt", "expected", *libraries}, PURE_STD | set(std), system=False, **more)


BASE, WIRE, MSG, NET, LOG = "common/base/", "common/wire/", "common/msg/", "common/net/", "common/log/"
FEED = "common/feed/"
DRIVER, DRIVER_EVENT = "agent/driver.h", "agent/driver_event.h"
IDENTIFY = "agent/identify/"  # what is shown by identify, wherever it is shown
WINDOWS = "agent/windows/"  # the command windows, whoever lists them
OUTPUT = "agent/output/"  # the output commands, as every driver understands them
CAPTURE = "agent/capture/"  # screenshots, whoever reads the pixels
DRIVER_FOLDERS = [DRIVER, DRIVER_EVENT, OUTPUT, IDENTIFY, WINDOWS, CAPTURE, "agent/process/", "agent/kde/", "agent/wlr/", "agent/wayland/",
                  "agent/dbus/", "agent/mutter/", "agent/ipc/", "agent/hyprland/", "agent/niri/", "agent/sway/"]

# Whom to tell and in which words, for the configuration: nothing there that tells.
NOTIFY_RULES = ["broker/notify/notifier_config.h", "broker/notify/body_template.h"]

RULES = [
    pure(BASE, [BASE]),
    pure("common/base/check.cpp", [BASE], std=["cstdio", "cstdlib"]),
    pure("common/base/blocked_signals.", [BASE], one_header="signal.h"),
    pure("common/base/clock.", [BASE], std=["ctime"], clock=True),
    pure(WIRE, [BASE, WIRE]),
    pure(MSG, [BASE, WIRE, MSG], libraries=["sodium", "msgpack", "nlohmann"]),
    Rule(NET, [BASE, WIRE, NET], {"fmt", "expected", "zmq", "sodium"}),
    Rule(LOG, [BASE, LOG], {"fmt", "expected", "spdlog"}),
    # The subscriber's side of the feed: what it knows is pure, the socket is not.
    pure(FEED, [BASE, WIRE, MSG, FEED]),
    Rule("common/feed/subscriber.", [BASE, WIRE, MSG, NET, FEED], {"fmt", "expected"}, clock=True),
    # The broker
    pure("broker/core/", [BASE, WIRE, MSG, "broker/core/"]),
    Rule("broker/store/", [BASE, MSG, "broker/core/", "broker/store/"], {"fmt", "expected", "sqlite"}),
    # The names of files that are set aside say when that was.
    Rule("broker/store/set_aside.", [BASE, "broker/store/"], {"fmt", "expected"}, clock=True),
    pure("broker/trace/trace_format.", [BASE, WIRE, MSG, "broker/core/", "broker/trace/"]),
    Rule("broker/trace/", [BASE, WIRE, MSG, "broker/core/", "broker/trace/"], {"fmt", "expected"}),
    Rule("broker/config/", [BASE, MSG, NET, LOG, "broker/core/", "broker/config/", *NOTIFY_RULES], {"fmt", "expected", "yaml"}),
    pure("broker/notify/backoff.", [BASE, "broker/notify/"]),
    pure("broker/notify/body_template.", [BASE, MSG, "broker/notify/"]),
    pure("broker/notify/notification.", [BASE, "broker/notify/"]),
    pure("broker/notify/notifier_config.", [BASE, "broker/notify/"]),
    Rule("broker/notify/", [BASE, MSG, "broker/notify/"], {"fmt", "expected"}, clock=True),
    Rule("broker/notify/webhook.", [BASE, MSG, "broker/notify/"], {"fmt", "expected", "curl"}),
    Rule("broker/notify/desktop_notifier.", [BASE, MSG, "broker/notify/"], {"fmt", "expected", "sdbus"}),
    Rule("broker/io/", [BASE, WIRE, MSG, NET, LOG, "broker/"], {"fmt", "expected"}, clock=True),
    Rule("broker/", [BASE, WIRE, MSG, NET, LOG, "broker/"], {"fmt", "expected", "cli"}, clock=True),
    # The agent
    # Its core hears what drivers say, but never holds one.
    pure("agent/core/", [BASE, WIRE, MSG, "agent/core/", DRIVER_EVENT]),
    pure(DRIVER_EVENT, [BASE, MSG]),
    pure(DRIVER, [BASE, MSG, DRIVER_EVENT], one_header="poll.h"),
    Rule(OUTPUT, [BASE, MSG, DRIVER, DRIVER_EVENT, OUTPUT], {"fmt", "expected"}),
    Rule(CAPTURE, [BASE, MSG, DRIVER, DRIVER_EVENT, OUTPUT, "agent/process/", CAPTURE],
         {"fmt", "expected", "sodium", "png"}),
    Rule("agent/kde/", [BASE, MSG, OUTPUT, "agent/kde/"], {"fmt", "expected", "wayland"}),
    Rule("agent/kde/kwin_", [BASE, MSG, DRIVER, DRIVER_EVENT, OUTPUT, CAPTURE, "agent/process/", "agent/dbus/",
                             "agent/kde/kwin_", "agent/wayland/companion.h"], {"fmt", "expected", "sdbus"}),
    Rule("agent/wlr/", [BASE, MSG, OUTPUT, IDENTIFY, WINDOWS, "agent/wlr/"], {"fmt", "expected", "wayland"}),
    Rule("agent/dbus/", [BASE, MSG, DRIVER, DRIVER_EVENT, "agent/process/", "agent/dbus/",
                         "agent/wayland/connected_display.h"], {"fmt", "expected", "sdbus"}),
    Rule("agent/mutter/", [BASE, MSG, DRIVER, DRIVER_EVENT, OUTPUT, CAPTURE, "agent/process/", "agent/dbus/", "agent/mutter/",
                           "agent/pipewire/", "agent/wayland/companion.h", "agent/wayland/connected_display.h"],
         {"fmt", "expected", "sdbus"}),
    Rule("agent/pipewire/", [BASE, MSG, OUTPUT, CAPTURE, "agent/process/", "agent/pipewire/"],
         {"fmt", "expected", "pipewire"}),
    Rule("agent/systemd/", [BASE, MSG, DRIVER, DRIVER_EVENT, "agent/process/", "agent/dbus/", "agent/systemd/"],
         {"fmt", "expected", "sdbus"}),
    Rule(IDENTIFY, [BASE, MSG, IDENTIFY], {"fmt", "expected", "cairo"}),
    Rule(WINDOWS, [BASE, MSG, WINDOWS], {"fmt", "expected"}),
    Rule("agent/process/", [BASE, MSG, DRIVER, DRIVER_EVENT, "agent/process/"], {"fmt", "expected"}),
    Rule("agent/kernel/", [BASE, MSG, DRIVER, DRIVER_EVENT, "agent/process/", "agent/kernel/"], {"fmt", "expected"}),
    Rule("agent/ipc/", [BASE, MSG, DRIVER, DRIVER_EVENT, OUTPUT, "agent/process/", "agent/wayland/", "agent/ipc/"],
         {"fmt", "expected"}),
    Rule("agent/hyprland/", [BASE, MSG, *DRIVER_FOLDERS], {"fmt", "expected"}),
    Rule("agent/niri/", [BASE, MSG, *DRIVER_FOLDERS], {"fmt", "expected"}),
    Rule("agent/sway/", [BASE, MSG, *DRIVER_FOLDERS], {"fmt", "expected"}),
    Rule("agent/wayland/", [BASE, MSG, *DRIVER_FOLDERS], {"fmt", "expected", "wayland"}),
    Rule("agent/x11/", [BASE, MSG, *DRIVER_FOLDERS, "agent/x11/"], {"fmt", "expected", "xcb"}),
    Rule("agent/io/", [BASE, WIRE, MSG, NET, LOG, "agent/"], {"fmt", "expected"}, clock=True),
    Rule("agent/", [BASE, WIRE, MSG, NET, LOG, "agent/"], {"fmt", "expected", "cli"}, clock=True),
    # Tools are clients of the bus like any other: they know the messages, not the programs.
    Rule("tools/", [BASE, WIRE, MSG, NET, LOG, FEED, "tools/"], {"fmt", "expected", "cli"}, clock=True),
    # A trace is read by running the core again.
    Rule("tools/compositorctl/dump_trace.", [BASE, WIRE, MSG, "broker/core/", "broker/trace/", "tools/"],
         {"fmt", "expected"}),
    Rule("tools/trace_replay/", [BASE, WIRE, MSG, "broker/core/", "broker/trace/", "agent/core/", "tools/"],
         {"fmt", "expected", "cli"}),
    # Tests may look at everything. They decode with our codecs, so that a test can't agree with itself.
    Rule("tests/", ["common/", "broker/", "agent/", "tools/", "tests/"],
         {"fmt", "expected", "test", "zmq", "sqlite", "sodium", "png", "wayland", "xcb", "sdbus"}, clock=True),
    # Strangers: what they have of ours proves nothing.
    Rule("tests/integration/foreign/", [], {"czmq", "zmq"}, clock=True),
]
# Command lines are parsed where the program begins.
CLI_FILES = re.compile(r"(^|/)(main|[a-z0-9_]*(cli|options|arguments)[a-z0-9_]*)\.(cpp|h)$")


def rule_for(path):
    fitting = [rule for rule in RULES if path.startswith(rule.where)]
    return max(fitting, key=lambda rule: len(rule.where), default=None)


def library_of(header):
    return next((name for name, pattern in LIBRARIES.items() if pattern.match(header)), None)


def fault_of_quoted(root, path, header, rule):
    """Why this file may not include "header", or nothing."""
    if not os.path.isfile(os.path.join(root, header)):
        return "no such file from the source root (ours are included by their path from there)"
    if header == CLOCK and not rule.clock:
        return "only the loops read the clock; here time is a parameter"
    if not any(header.startswith(beginning) for beginning in rule.ours):
        return f"{rule.where} may include only {' '.join(rule.ours)}"
    return None


def fault_of_angled(path, header, rule):
    """Why this file may not include <header>, or nothing."""
    if header.startswith(("common/", "broker/", "agent/", "tools/", "tests/")):
        return "ours are included with quotes"
    library = library_of(header)
    if library == "cli" and "cli" in rule.libraries and not CLI_FILES.search(path):
        return "command lines are parsed in main.cpp or in a *cli*, *options* or *arguments* file"
    if library is None and GENERATED.match(header):
        return None if "wayland" in rule.libraries else "generated Wayland headers belong to agent/wayland, agent/wlr and agent/kde"
    if library is not None:
        return None if library in rule.libraries else f"{rule.where} may not use {library}"
    if header in PURE_STD | IMPURE_STD:
        return None if header in rule.std else f"{rule.where} may not use this part of the standard library"
    if SYSTEM.match(header):
        return None if rule.system or header == rule.one_header else f"{rule.where} may not use the system"
    return "unknown header: tools/lint/check_includes.py lists what may be used"


def faults_of_form(root, path, text, found):
    """#pragma once, and a source's own header first."""
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield f"{path}:1: a header says #pragma once"
    own_header = os.path.splitext(path)[0] + ".h"
    if path.endswith(".cpp") and os.path.isfile(os.path.join(root, own_header)):
        if not found or found[0][2] != own_header:
            yield f'{path}:1: the first include is the own header, "{own_header}"'


def check(root):
    """All problems of the tree, one line each, and the number of files that were looked at."""
    problems = []
    users = {library: [] for library in ONLY_ONE_SOURCE}
    paths = tree.own_cpp_files(root)
    for path in paths:
        rule = rule_for(path)
        if rule is None:
            problems.append(f"{path}:1: no rule of tools/lint/check_includes.py is for this folder")
            continue
        text = tree.read_text(root, path)
        found = tree.includes(text)
        problems += faults_of_form(root, path, text, found)
        for line, kind, header in found:
            fault = fault_of_quoted(root, path, header, rule) if kind == '"' else fault_of_angled(path, header, rule)
            if fault:
                problems.append(f"{path}:{line}: {header}: {fault}")
            elif kind == "<" and library_of(header) in users:
                users[library_of(header)].append(path)
    for library, files in users.items():
        sources = sorted(set(files))
        if len(sources) > 1 or any(path.endswith(".h") for path in sources):
            problems.append(f"{ONLY_ONE_SOURCE[library]}: {library} is for one source only, not {' '.join(sources)}")
    return problems, len(paths)


def main():
    root = os.path.realpath(sys.argv[1]) if len(sys.argv) > 1 else tree.root_of(__file__)
    problems, count = check(root)
    if count == 0:
        problems.append(f"{root}: no C++ file found, so nothing was checked")
    return tree.report(problems, f"check_includes: {count} files")


if __name__ == "__main__":
    sys.exit(main())
