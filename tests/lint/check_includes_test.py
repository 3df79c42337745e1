#!/usr/bin/python3
"""The include gate refuses each kind of wrong include, and nothing else."""

import gate_testing

import check_includes

GOOD_TREE = {
    "common/base/instant.h": "#pragma once\n#include <chrono>\n",
    "common/base/clock.h": '#pragma once\n#include "common/base/instant.h"\n',
    "common/base/clock.cpp": '#include "common/base/clock.h"\n#include <ctime>\n',
    "common/base/check.cpp": "#include <cstdio>\n#include <cstdlib>\n#include <fmt/format.h>\n",
    "common/base/result.h": "#pragma once\n#include <tl/expected.hpp>\n",
    "common/wire/frames.h": '#pragma once\n#include "common/base/instant.h"\n',
    "common/msg/value.h": '#pragma once\n#include "common/base/result.h"\n#include "common/wire/frames.h"\n',
    "common/msg/msgpack_codec.cpp": '#include <msgpack.hpp>\n#include "common/msg/value.h"\n',
    "common/msg/json_codec.cpp": '#include <nlohmann/json.hpp>\n#include "common/msg/value.h"\n',
    "common/msg/hash.cpp": "#include <sodium/crypto_generichash.h>\n",
    "common/net/socket.h": "#pragma once\n#include <zmq.h>\n#include <poll.h>\n",
    "common/log/log.h": "#pragma once\n#include <spdlog/spdlog.h>\n",
    "broker/core/table.h": '#pragma once\n#include <map>\n#include "common/msg/value.h"\n',
    "broker/store/store.h": '#pragma once\n#include <sqlite3.h>\n#include "broker/core/table.h"\n',
    "broker/config/config.h": "#pragma once\n#include <yaml-cpp/yaml.h>\n",
    "broker/io/loop.h": '#pragma once\n#include "broker/core/table.h"\n#include "common/base/clock.h"\n',
    "broker/main.cpp": '#include <CLI/CLI.hpp>\n#include "broker/io/loop.h"\n',
    "agent/driver_event.h": '#pragma once\n#include "common/msg/value.h"\n',
    "agent/driver.h": '#pragma once\n#include <poll.h>\n#include "agent/driver_event.h"\n',
    "agent/core/agent.h": '#pragma once\n#include "agent/driver_event.h"\n',
    "agent/wayland/display.h": '#pragma once\n#include <wayland-client.h>\n#include <xdg-output-unstable-v1-client-protocol.h>\n',
    "agent/process/peer.h": '#pragma once\n#include <sys/socket.h>\n#include "common/msg/value.h"\n',
    "agent/sway/ipc.h": '#pragma once\n#include "agent/wayland/display.h"\n#include "agent/process/peer.h"\n',
    "agent/io/loop.h": '#pragma once\n#include "agent/core/agent.h"\n#include "common/net/socket.h"\n',
    "tools/compositorctl/main.cpp": '#include <CLI/CLI.hpp>\n#include "common/net/socket.h"\n',
    "broker/trace/trace_format.h": '#pragma once\n#include "broker/core/table.h"\n',
    "broker/trace/trace_file.h": '#pragma once\n#include <fcntl.h>\n',
    "tools/compositorctl/dump_trace.cpp": '#include "broker/trace/trace_file.h"\n',
    "tools/trace_replay/main.cpp": '#include "broker/core/table.h"\n#include "agent/core/agent.h"\n',
    "tests/unit/table_test.cpp": '#include <gtest/gtest.h>\n#include <zmq.h>\n#include "broker/core/table.h"\n',
}

# (the file that goes wrong, the include it gets, a word of the complaint)
WRONG = [
    # Programs know nothing of each other.
    ("broker/io/loop.h", '"agent/driver.h"', "may include only"),
    ("agent/io/loop.h", '"broker/core/table.h"', "may include only"),
    ("tools/compositorctl/main.cpp", '"broker/core/table.h"', "may include only"),
    # The cores
    ("broker/core/table.h", '"common/net/socket.h"', "may include only"),
    ("broker/core/table.h", '"common/log/log.h"', "may include only"),
    ("broker/core/table.h", '"broker/store/store.h"', "may include only"),
    ("broker/core/table.h", '"common/base/clock.h"', "time is a parameter"),
    ("agent/core/agent.h", '"common/base/clock.h"', "time is a parameter"),
    ("agent/core/agent.h", '"agent/wayland/display.h"', "may include only"),
    ("agent/core/agent.h", '"agent/io/loop.h"', "may include only"),
    ("agent/core/agent.h", '"agent/driver.h"', "may include only"),
    ("agent/driver_event.h", '"agent/driver.h"', "may include only"),
    ("broker/core/table.h", "<thread>", "standard library"),
    ("broker/core/table.h", "<iostream>", "standard library"),
    ("broker/core/table.h", "<random>", "standard library"),
    ("agent/core/agent.h", "<ctime>", "standard library"),
    ("agent/core/agent.h", "<poll.h>", "may not use the system"),
    ("broker/core/table.h", "<sys/socket.h>", "may not use the system"),
    ("broker/core/table.h", "<unistd.h>", "may not use the system"),
    # Drivers know neither the agent's loop nor the clock.
    ("agent/process/peer.h", '"common/base/clock.h"', "time is a parameter"),
    ("agent/process/peer.h", '"agent/sway/ipc.h"', "may include only"),
    ("agent/sway/ipc.h", '"common/base/clock.h"', "time is a parameter"),
    ("agent/wayland/display.h", '"agent/core/agent.h"', "may include only"),
    # The layers of common
    ("common/base/instant.h", '"common/wire/frames.h"', "may include only"),
    ("common/wire/frames.h", '"common/msg/value.h"', "may include only"),
    ("common/wire/frames.h", '"common/base/clock.h"', "time is a parameter"),
    ("common/msg/value.h", '"common/net/socket.h"', "may include only"),
    ("common/net/socket.h", '"common/msg/value.h"', "may include only"),
    ("common/base/instant.h", "<ctime>", "standard library"),
    ("agent/driver.h", "<unistd.h>", "may not use the system"),
    ("agent/driver_event.h", "<poll.h>", "may not use the system"),
    # A trace has its format, which is pure, and a file; of all tools only those that read it know the broker.
    ("broker/trace/trace_format.h", "<fcntl.h>", "may not use the system"),
    ("broker/trace/trace_file.h", '"common/base/clock.h"', "time is a parameter"),
    ("broker/trace/trace_file.h", '"broker/io/loop.h"', "may include only"),
    ("tools/compositorctl/dump_trace.cpp", '"broker/io/loop.h"', "may include only"),
    ("tools/compositorctl/other.cpp", '"broker/trace/trace_file.h"', "may include only"),
    # Each library has its place.
    ("broker/io/loop.h", "<zmq.h>", "zmq"),
    ("broker/core/table.h", "<zmq.hpp>", "zmq"),
    ("broker/core/table.h", "<sqlite3.h>", "sqlite"),
    ("broker/io/loop.h", "<sqlite3.h>", "sqlite"),
    ("broker/io/loop.h", "<yaml-cpp/yaml.h>", "yaml"),
    ("broker/core/table.h", "<spdlog/spdlog.h>", "spdlog"),
    ("agent/io/loop.h", "<spdlog/fmt/bin_to_hex.h>", "spdlog"),
    ("agent/core/agent.h", "<wayland-client.h>", "wayland"),
    ("agent/io/loop.h", "<wayland-client-core.h>", "wayland"),
    ("broker/io/loop.h", "<xdg-output-unstable-v1-client-protocol.h>", "agent/wayland"),
    ("agent/wayland/display.h", '"xdg-output-client-protocol.h"', "no such file"),
    ("broker/core/table.h", "<CLI/CLI.hpp>", "cli"),
    ("broker/io/options.cpp", "<CLI/CLI.hpp>", "cli"),
    ("agent/io/options.cpp", "<CLI/CLI.hpp>", "cli"),
    ("agent/loop_thread.cpp", "<CLI/CLI.hpp>", "command lines"),
    ("broker/io/loop.h", "<msgpack.hpp>", "msgpack"),
    ("broker/io/loop.h", "<nlohmann/json.hpp>", "nlohmann"),
    ("broker/core/table.h", "<gtest/gtest.h>", "test"),
    ("common/msg/value.cpp", "<msgpack.hpp>", "one source only"),
    ("common/msg/value.h", "<nlohmann/json_fwd.hpp>", "one source only"),
    ("broker/io/loop.h", "<boost/asio.hpp>", "unknown header"),
    ("broker/io/loop.h", "<format>", "unknown header"),
    # Paths
    ("broker/io/loop.h", '"loop_state.h"', "no such file"),
    ("broker/io/loop.h", '"../core/table.h"', "no such file"),
    ("broker/io/loop.h", "<broker/core/table.h>", "quotes"),
    ("vendor/thing.h", "<map>", "no rule"),
]


class IncludeGate(gate_testing.TreeTest):
    def setUp(self):
        super().setUp()
        for path, text in GOOD_TREE.items():
            self.write(path, text)

    def test_accepts_a_tree_that_keeps_the_rules(self):
        self.assertEqual(check_includes.check(self.root), ([], len(GOOD_TREE)))

    def test_refuses_each_wrong_include(self):
        for path, include, complaint in WRONG:
            with self.subTest(path=path, include=include):
                before = GOOD_TREE.get(path)
                text = before
                if text is None:
                    own_header = path.replace(".cpp", ".h")
                    text = f'#include "{own_header}"\n' if own_header in GOOD_TREE else "#pragma once\n"
                full = self.write(path, f"{text}#include {include}\n")
                problems, _ = check_includes.check(self.root)
                self.assert_refused(problems, path, complaint)
                if before is None:
                    gate_testing.os.remove(full)
                else:
                    self.write(path, before)

    def test_refuses_an_include_that_is_spaced_or_indented(self):
        self.write("broker/core/table.h", "#pragma once\n#if 1\n  #  include   <thread>\n#endif\n")
        self.assert_refused(check_includes.check(self.root)[0], "broker/core/table.h:3:", "standard library")

    def test_refuses_a_header_without_pragma_once(self):
        self.write("common/base/result.h", "#ifndef RESULT_H\n#define RESULT_H\n#endif\n")
        self.assert_refused(check_includes.check(self.root)[0], "common/base/result.h", "#pragma once")

    def test_refuses_a_source_whose_own_header_is_not_first(self):
        self.write("common/base/clock.cpp", '#include <ctime>\n#include "common/base/clock.h"\n')
        self.assert_refused(check_includes.check(self.root)[0], "common/base/clock.cpp", "own header")

    def test_refuses_a_source_that_never_includes_its_own_header(self):
        self.write("common/base/clock.cpp", "int unused;\n")
        self.assert_refused(check_includes.check(self.root)[0], "common/base/clock.cpp", "own header")


if __name__ == "__main__":
    gate_testing.main()
