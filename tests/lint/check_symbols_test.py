#!/usr/bin/python3
"""The symbol gate refuses each class of impure call in a library made for the purpose, and accepts pure code, also as
the sanitizers compile it.

Usage: check_symbols_test.py COMPILER
"""

import os
import subprocess
import sys

import gate_testing

import check_symbols

COMPILER = "c++"

PURE = """
#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>
namespace compositord::broker {
struct Table { std::map<std::string, std::vector<int>> rows; std::unordered_map<std::string, double> scale; };
// Names that sound like system calls are harmless when they are ours.
int read(Table& table, const std::string& key) { return table.rows.at(key).at(0); }
int time(int poll) { static const std::string once(static_cast<std::size_t>(poll), 'x'); return poll + static_cast<int>(once.size()); }
int socket(Table& t, std::string k) {
  t.rows[k].push_back(time(read(t, k)));
  std::sort(t.rows[k].begin(), t.rows[k].end());
  t.scale[k] = std::floor(std::sqrt(2.0 + t.scale[k]));
  return std::get<int>(std::variant<int, std::string>(t.rows[k].back()));
}
std::chrono::nanoseconds twice(std::chrono::nanoseconds d) { return d * 2; }
std::shared_ptr<Table> make() { return std::make_shared<Table>(); }
}
"""

# A class of symbol, the code, and words of the complaint.
IMPURE = [
    ("clock", "#include <time.h>\nlong f() { timespec t; clock_gettime(0, &t); return t.tv_sec; }", "clock_gettime", "reads a clock"),
    ("time", "#include <time.h>\nlong f() { return time(nullptr); }", ": time:", "reads a clock"),
    ("steady clock", "#include <chrono>\nlong f() { return std::chrono::steady_clock::now().time_since_epoch().count(); }", "steady_clock::now", "reads a clock"),
    ("system clock", "#include <chrono>\nlong f() { return std::chrono::system_clock::now().time_since_epoch().count(); }", "system_clock::now", "reads a clock"),
    ("our clock", "namespace compositord { struct Instant { long ns; }; Instant monotonic_now() noexcept; }\nlong f() { return compositord::monotonic_now().ns; }", "monotonic_now", "reads a clock"),
    ("rand", "#include <stdlib.h>\nint f() { return rand(); }", ": rand:", "randomness"),
    ("getrandom", "#include <sys/random.h>\nlong f(char* b) { return getrandom(b, 1, 0); }", "getrandom", "randomness"),
    ("sodium random", 'extern "C" void randombytes_buf(void*, unsigned long);\nvoid f(char* b) { randombytes_buf(b, 1); }', "randombytes_buf", "randomness"),
    ("random device", "#include <random>\nunsigned f(std::random_device& d) { return d(); }", "random_device", "randomness"),
    ("environment", '#include <stdlib.h>\nchar* f() { return getenv("HOME"); }', "getenv", "environment"),
    ("ZeroMQ", 'extern "C" void* zmq_ctx_new();\nvoid* f() { return zmq_ctx_new(); }', "zmq_ctx_new", "ZeroMQ"),
    ("ZeroMQ in C++", "namespace zmq { struct socket_t { void close(); }; }\nvoid f(zmq::socket_t& s) { s.close(); }", "zmq::socket_t::close", "ZeroMQ"),
    ("our sockets", "namespace compositord::net { void drain(); }\nvoid f() { compositord::net::drain(); }", "compositord::net::drain", "sockets"),
    ("SQLite", 'extern "C" int sqlite3_step(void*);\nint f() { return sqlite3_step(nullptr); }', "sqlite3_step", "SQLite"),
    ("spdlog", "namespace spdlog { void drop_all(); }\nvoid f() { spdlog::drop_all(); }", "spdlog::drop_all", "spdlog"),
    ("poll", "#include <poll.h>\nint f(pollfd* p) { return poll(p, 1, 0); }", ": poll:", "polls"),
    ("socket", "#include <sys/socket.h>\nint f() { return socket(1, 1, 0); }", ": socket:", "sockets"),
    ("send", "#include <sys/socket.h>\nlong f() { return send(1, \"x\", 1, 0); }", ": send:", "sockets"),
    ("read", "#include <unistd.h>\nlong f(int d, char* b, unsigned long n) { return read(d, b, n); }", "read", "files"),
    ("write", "#include <unistd.h>\nlong f(char* b) { return write(1, b, 1); }", ": write:", "files"),
    ("open", "#include <fcntl.h>\nint f(const char* p) { return open(p, 0); }", ": open", "files"),
    ("fopen", "#include <stdio.h>\nvoid* f(const char* p) { return fopen(p, p); }", ": fopen", "files"),
    ("printf", '#include <stdio.h>\nvoid f(int i) { printf("%d", i); }', "printf", "files"),
    ("stream", "#include <iostream>\nvoid f() { std::cout << 1; }", "std::cout", "streams"),
    ("file stream", "#include <fstream>\nvoid f(const char* p) { std::ofstream o(p); }", "std::basic_ofstream", "streams"),
    ("file system", "#include <filesystem>\nbool f() { return std::filesystem::exists(\"x\"); }", "std::filesystem", "files"),
    ("thread", "#include <thread>\nvoid g();\nvoid f() { std::thread t(g); t.join(); }", "std::thread", "threads"),
    ("locale", '#include <locale>\nbool f(char c) { return std::isalpha(c, std::locale("")); }', "std::locale::locale", "locale"),
    ("fork", "#include <unistd.h>\nint f() { return fork(); }", ": fork:", "processes"),
    ("pthread", "#include <pthread.h>\nint f(pthread_mutex_t* m) { return pthread_mutex_lock(m); }", "pthread_mutex_lock", "threads"),
    ("unknown C function", 'extern "C" int inotify_init();\nint f() { return inotify_init(); }', "inotify_init", "no C function that a core may call"),
]


class SymbolGate(gate_testing.TreeTest):
    def library(self, code, *options):
        source = self.write("code.cpp", code)
        made = os.path.join(self.root, "code.o")
        subprocess.run([COMPILER, "-std=c++20", "-w", *options, "-c", source, "-o", made], check=True)
        archive = os.path.join(self.root, "libcode.a")
        if os.path.exists(archive):
            os.remove(archive)
        subprocess.run(["ar", "rc", archive, made], check=True)
        return archive

    def test_accepts_pure_code(self):
        for options in (["-Og"], ["-O2"], ["-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-all"]):
            with self.subTest(options=options):
                self.assertEqual(check_symbols.check(self.library(PURE, *options)), [])

    def test_accepts_pure_code_with_sanitizers(self):
        for sanitizers in ("address,undefined", "thread"):
            with self.subTest(sanitizers=sanitizers):
                archive = self.library(PURE, "-O1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all")
                self.assertEqual(check_symbols.check(archive), [])

    def test_refuses_each_class_of_impure_call(self):
        for kind, code, symbol, complaint in IMPURE:
            for options in (["-Og"], ["-O1", "-fsanitize=address,undefined"]):
                with self.subTest(kind=kind, options=options):
                    problems = check_symbols.check(self.library(code, *options))
                    fitting = [line for line in problems if symbol in line and complaint in line]
                    self.assertTrue(fitting, problems)

    def test_refuses_fortified_names(self):
        code = "#include <unistd.h>\nchar b[8];\nlong f(unsigned long n) { return read(0, b, n); }"
        problems = check_symbols.check(self.library(code, "-O2", "-D_FORTIFY_SOURCE=2"))
        self.assert_refused(problems, "libcode.a", "__read_chk", "files")

    def test_a_name_may_be_allowed_for_one_library(self):
        archive = self.library("#include <stdio.h>\nvoid f() { puts(\"x\"); fflush(nullptr); }", "-O1")
        self.assert_refused(check_symbols.check(archive, ["puts"]), "libcode.a", "fflush")

    def test_what_the_library_defines_itself_is_its_own(self):
        archive = self.library('extern "C" int inotify_init() { return 0; }\nint f() { return inotify_init(); }', "-O0")
        self.assertEqual(check_symbols.check(archive), [])

    def test_an_empty_library_is_an_error(self):
        with self.assertRaises(ValueError):
            check_symbols.check(self.library(""))


if __name__ == "__main__":
    COMPILER = sys.argv.pop(1)
    gate_testing.main()
