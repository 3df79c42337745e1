#!/usr/bin/python3
"""schemas/*.md against the sources, the schemas and a running broker: registries are complete in both directions, limits
have their real defaults, examples are real bytes, and what is named exists."""

import ast
import glob
import json
import os
import re
import sys
import unittest

import msgpack
import zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import mdp
import programs
import schemas

ROOT = schemas.ROOT
HERE = os.path.dirname(os.path.realpath(__file__))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def section(text, heading):
    """The text below a heading, up to the next one of the same or a higher level."""
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    if not match:
        raise AssertionError(f"there is no heading {heading!r}")
    rest = text[match.end():]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text):
    """The cells of each table row."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("|--"):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


class Statuses(unittest.TestCase):
    def test_the_registry_and_the_document_are_the_same(self):
        numbers = dict(re.findall(r"(k\w+) = (\d{3})", read("common/base/error_code.h")))
        registry = re.findall(r'\{Status::(k\w+), "(\w+)", "([^"]+)"\}', read("common/base/error_code.cpp"))
        self.assertEqual(len(registry), len(numbers))
        source = [(numbers[status], name, meaning) for status, name, meaning in registry]
        documented = [(status, name.strip("`"), meaning)
                      for status, name, meaning in (row for row in rows(section(read("schemas/ERRORS.md"), "Statuses"))
                                                    if len(row) == 3 and row[1].startswith("`"))]
        self.assertEqual(documented, source)
        self.assertEqual(sorted(schemas.load_all()["reply-header"]["properties"]["status"]["enum"]),
                         sorted(int(number) for number in numbers.values()))


class LogEvents(unittest.TestCase):
    PROGRAMS = {"compositord": ("broker",), "compositor-agent": ("agent",), "compositorctl": ("tools/compositorctl",)}

    def in_sources(self, folders):
        """(name, severities that may be meant)"""
        found = {}
        for folder in folders:
            for path in glob.glob(os.path.join(ROOT, folder, "**", "*.cpp"), recursive=True):
                pattern = r"\b(?:LogEvent(?:\s+\w+)?|about|emplace_back)\(([^;]*?Severity::k.*?)(?:\.with\(|;)"
                for match in re.finditer(pattern, read(path), re.DOTALL):
                    for name in re.findall(r'"([a-z_]+\.[a-z_]+)"', match[1]):
                        found.setdefault(name, set()).update(
                            severity.lower() for severity in re.findall(r"Severity::k(\w+)", match[1]))
        return found

    def test_every_name_of_the_sources_is_documented_and_the_other_way_round(self):
        document = section(read("schemas/ERRORS.md"), "Log events")
        for program, folders in self.PROGRAMS.items():
            with self.subTest(program=program):
                documented = {re.sub(r"[`¹]", "", row[0]): set(row[1].split(", "))
                              for row in rows(section(document, program)) if row[0].startswith("`")}
                source = self.in_sources(folders)
                self.assertGreater(len(source), 3, "the search finds nothing: has the way of writing events changed?")
                self.assertEqual(set(documented), set(source))
                for name, severities in documented.items():
                    self.assertLessEqual(severities, source[name], name)


class Topics(unittest.TestCase):
    def setUp(self):
        self.text = read("schemas/TOPICS.md")

    def test_every_kind_is_documented_and_the_other_way_round(self):
        names = re.search(r"kFeedKindNames\{(.*?)\}", read("broker/core/feed.h"), re.DOTALL)[1]
        source = re.findall(r'"(\w+)"', names)
        documented = list(dict.fromkeys(re.findall(r"^## `(\w+)/", self.text, re.MULTILINE)))  # bus/ has two topics
        self.assertEqual(documented, source)
        self.assertEqual(schemas.load_all()["feed-header"]["properties"]["kind"]["enum"], source)

    def test_the_fields_are_those_of_the_schemas(self):
        header = {row[0].strip("`") for row in rows(self.text.split("\n## ")[0]) if row[0].startswith("`")}
        self.assertEqual(header, set(schemas.load_all()["feed-header"]["properties"]))
        for heading in re.findall(r"^## (`.*`)$", self.text, re.MULTILINE):
            part = section(self.text, heading)
            schema = re.search(r"\(messages/([a-z-]+)\.json\)", part)[1]
            fields = {row[0].strip("`") for row in rows(part) if row[0].startswith("`")}
            self.assertEqual(fields, set(schemas.load_all()[schema]["properties"]), heading)

    def test_the_examples_are_valid(self):
        checker = schemas.Schemas()
        examples = re.findall(r"\(messages/([a-z-]+)\.json\)\):\n\n```publication\n(.*)\n(.*)\n(.*)\n```", self.text)
        self.assertEqual(len(examples), len(re.findall(r"^## `", self.text, re.MULTILINE)))
        for schema, topic, header, payload in examples:
            header, payload = json.loads(header), json.loads(payload)
            self.assertEqual(checker.faults("feed-header", header), [])
            self.assertEqual(checker.faults(schema, payload), [], topic)
            self.assertEqual(topic.split("/")[0], header["kind"])


def amount(expression):
    """A default of broker_config.h as a number: bytes, a count, or milliseconds."""
    units = {"milliseconds": 1, "seconds": 1_000, "hours": 3_600_000}
    if match := re.fullmatch(r"std::chrono::(\w+)\((\d+)\)", expression):
        return units[match[1]] * int(match[2])
    number = re.sub(r"(?<=\d)U|'", "", expression)
    return eval(compile(ast.parse(number, mode="eval"), "default", "eval"), {"__builtins__": {}})


def documented_amount(text):
    units = {"": 1, "MiB": 1 << 20, "ms": 1, "s": 1_000, "h": 3_600_000}
    number, unit = re.fullmatch(r"([\d ]+?) ?(MiB|ms|s|h|)", text).groups()
    return int(number.replace(" ", "")) * units[unit]


class Limits(unittest.TestCase):
    def test_every_limit_stands_in_the_protocol_with_its_default(self):
        source = {name: amount(value) for name, value in re.findall(
            r"^  (?:std::size_t|Duration|int) (\w+) = ([^;]+);", read("broker/core/broker_config.h"), re.MULTILINE)}
        self.assertGreater(len(source), 15)
        documented = {re.match(r"`(\w+)`", row[0])[1]: documented_amount(row[1])
                      for row in rows(section(read("schemas/PROTOCOL.md"), "Limits")) if row[0].startswith("`")}
        self.assertEqual(documented, source)

    def test_the_keys_in_parentheses_are_keys_of_the_configuration(self):
        keys = set(re.findall(r'ConfigKey\{"([a-z_.]+)"', read("broker/config/config_keys.cpp")))
        for name, key in re.findall(r"^\| `(\w+)`(?: \(`([a-z_.]+)`\))?", section(read("schemas/PROTOCOL.md"), "Limits"),
                                    re.MULTILINE):
            self.assertIn(key or "limits." + name, keys)


class Protocol(unittest.TestCase):
    def setUp(self):
        self.text = read("schemas/PROTOCOL.md")

    def test_every_schema_is_named_and_every_link_leads_somewhere(self):
        linked = set()
        for name in ("PROTOCOL.md", "ERRORS.md", "TOPICS.md"):
            links = re.findall(r"\]\(([^)#]+)\)", read("schemas/" + name))
            for link in links:
                self.assertTrue(os.path.exists(os.path.join(ROOT, "schemas", link)), f"{name}: {link}")
            if name == "PROTOCOL.md":
                linked.update(links)
        expected = {f"messages/{name}.json" for name in schemas.load_all()}
        self.assertLessEqual(expected, linked)

    def test_sections_that_the_sources_name_are_there(self):
        named = set()
        for folder in ("broker", "agent", "common"):
            for path in glob.glob(os.path.join(ROOT, folder, "**", "*.*"), recursive=True):
                for reference in re.findall(r'schemas/PROTOCOL\.md((?:,? "[^"]+")+)', read(path)):
                    named.update(re.findall(r'"([^"]+)"', reference))
        self.assertGreater(len(named), 4)
        for heading in named | set(re.findall(r"PROTOCOL\.md\]?(?:\(PROTOCOL\.md\))?,\s+\*([^*]+)\*",
                                              read("schemas/TOPICS.md") + read("schemas/ERRORS.md"))):
            section(self.text, heading)
        for heading in re.findall(r"\(\*([^*]+)\*\)|[Ss]ee \*([^*]+)\*", self.text):
            section(self.text, heading[0] or heading[1])

    def test_every_deviation_names_a_test_that_exists(self):
        named = 0
        conformance = "".join(read("tests/conformance/" + name) for name in
                              ("mdp_01_test.cpp", "mdp_02_test.cpp", "mmi_test.cpp"))
        for row in rows(section(self.text, "Deviations")):
            if row[0] == "from":
                continue
            tests = re.findall(r"`(bus_\w+\.py)` `(\w+)\.(test_\w+)`", row[-1])
            by_sentence = re.findall(r"`(Mdp01|Mdp02|Mmi)\.([A-Z]\w+)`", row[-1])
            self.assertTrue(tests or by_sentence, row)
            for suite, test in by_sentence:
                self.assertIn(f"TEST_F({suite}, {test})", conformance, row)
                named += 1
            for path, case, test in tests:
                source = read("tests/integration/" + path)
                body = re.search(rf"^class {case}\(.*?(?=^class |\Z)", source, re.MULTILINE | re.DOTALL)
                self.assertTrue(body and f"def {test}(self)" in body[0], (path, case, test))
                named += 1
        self.assertGreater(named, 5)

    def test_every_counter_that_is_named_exists(self):
        counters = set(re.findall(r"std::uint64_t (\w+) = 0;", read("broker/core/counters.h")))
        named = set(re.findall(r"`((?:messages|commands|sends|requests|replies|partials|agents|log_events)_\w+)`", self.text))
        limits = set(re.findall(r"(\w+) =", read("broker/core/broker_config.h")))
        self.assertGreater(len(named - limits), 8)
        self.assertLessEqual(named - limits, counters)

    def frames_of(self, block):
        """[(direction, [frames])], messages in order. A line is > or <, then hexadecimal, "text", 'text', empty or *."""
        messages = []
        for line in block.splitlines():
            direction, rest = line[0], line[2:]
            if match := re.match(r"'(.*)'$|\"([^\"]*)\"", rest):
                frame = (match[1] or match[2]).encode()
            elif rest.startswith("*"):
                frame = None
            else:
                word = rest.split()[0]
                frame = b"" if word == "empty" else bytes.fromhex(word)
            begins = frame is not None and frame.startswith((b"MDPC", b"MDPW")) and (
                not messages or messages[-1][0] != direction or messages[-1][1][-1] != b"")
            if begins or frame == b"" and (not messages or messages[-1][0] != direction):
                messages.append((direction, []))
            messages[-1][1].append(frame)
        return messages

    def test_the_comments_of_the_examples_are_what_their_bytes_mean(self):
        lines = re.findall(r"^[<>] ([0-9a-f]+)   # (\{.*\})$", self.text, re.MULTILINE)
        whole = [(data, meaning) for data, meaning in lines if "…" not in meaning]
        self.assertGreater(len(whole), 4)
        for data, meaning in whole:
            self.assertEqual(msgpack.unpackb(bytes.fromhex(data)), json.loads(meaning))

    def test_the_examples_are_what_the_broker_says(self):
        blocks = re.findall(r"```frames\n(.*?)```", self.text, re.DOTALL)
        self.assertGreaterEqual(len(blocks), 5)
        with programs.broker() as broker:
            for block in blocks:
                with self.subTest(block=block), mdp.Peer(broker.bus, zmq.DEALER) as peer:
                    for direction, frames in self.frames_of(block):
                        if direction == ">":
                            peer.send(*frames)
                            continue
                        got = peer.receive()
                        self.assertEqual([g if f is not None else None for g, f in zip(got, frames)], frames)
                        self.assertEqual(len(got), len(frames))
            # The last block registers an agent and says READY: it is in force.
            self.assertIn("register", blocks[-1])
            broker.wait_for_log("worker.ready id=wall-3/wayland-1")

    def test_the_verdict_table_is_what_the_broker_does(self):
        ok = {"process": "running", "progress": "ok", "outputs": (("A", "on"),)}
        table = [({}, "ok", ""), ({"process": "exited", "code": 1}, "down", "process"),
                 ({"process": "killed", "signal": 11, "progress": "unknown"}, "down", "process"),
                 ({"process": "unknown", "progress": "unknown"}, "down", "process"),
                 ({"process": "stopped"}, "degraded", "process"), ({"progress": "slow"}, "degraded", "progress"),
                 ({"progress": "suspect"}, "degraded", "progress"), ({"progress": "frozen"}, "down", "progress"),
                 ({"progress": "unknown"}, "unknown", "progress"), ({"process": "unknown"}, "ok", ""),
                 ({"outputs": (("A", "off"),)}, "degraded", "output/A"),
                 ({"outputs": (("A", "on"), ("B", "disconnected"))}, "degraded", "output/B"),
                 ({"outputs": (("A", "unknown"),)}, "unknown", "output/A"),
                 ({"process": "stopped", "progress": "frozen"}, "down", "process"),
                 ({"progress": "slow", "outputs": (("A", "unknown"),)}, "unknown", "progress")]
        with programs.broker() as broker, calls.PythonAgent(broker.bus, "a/b") as agent, \
                calls.Caller(broker.bus) as caller, feed.Subscriber(broker.feed, "alert/") as alerts:
            agent.come_online(put=False)
            status = caller.call("bus.status", "get", {"id": "a/b"}).result
            self.assertEqual((status["verdict"], status["layer"]), ("unknown", "link"))
            for changes, verdict, layer in table:
                with self.subTest(facts=changes):
                    agent.ask("status", calls.report(**{**ok, **changes}))
                    status = caller.call("bus.status", "get", {"id": "a/b"}).result
                    self.assertEqual((status["verdict"], status["layer"]), (verdict, layer))
                    self.assertEqual(status["summary"], "COMPOSITE_OK" if verdict == "ok" else "COMPOSITE_ERROR")
            agent.ask("leave")
            alerts.wait_for(lambda m: m.payload["layer"] == "link")
            self.assertEqual({m.payload["severity"] for m in alerts.seen if m.kind == "alert"}, {"warning", "critical"})


if __name__ == "__main__":
    unittest.main()
