#!/usr/bin/python3
"""Purity gate: what a core library calls. A core gets time, randomness and bytes as parameters, so its object files
must not refer to a clock, a random device, a socket, a file, a thread or the environment.

Usage: check_symbols.py [--also-allow NAME ...] LIBRARY.a ...

C functions are judged by a list of those that are allowed: every system call is a C function, and one that nobody thought
of is refused too. C++ functions are judged by a list of those that are not.
"""

import argparse
import re
import subprocess
import sys

import tree

# Memory, strings, arithmetic, and what compilers emit by themselves.
ALLOWED_C = re.compile(
    r"^("
    r"(mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|nlen|cmp|ncmp|chr|rchr|str)|bcmp)(_chk)?|__mem(cpy|move|set)_chk|"
    r"(f?abs|ceil|floor|round|trunc|rint|nearbyint|l?lround|fmod|ldexp|frexp|exp2?|log(2|10)?|log1p|pow|sqrt|hypot|"
    r"sin|cos|tan|modf|scalbn)[fl]?|"
    r"malloc|calloc|realloc|free|__libc_single_threaded|"
    r"abort|__assert_fail|__stack_chk_fail|__gxx_personality_v0|_Unwind_Resume|__cxa_\w+|__dso_handle|"
    r"_GLOBAL_OFFSET_TABLE_|__tls_get_addr|__dynamic_cast|"
    # Sanitizers, gcov, libFuzzer: they call in, not the core.
    r"__(asan|lsan|ubsan|tsan|sanitizer|sancov|gcov)_\w+|__start___sancov_\w+|__stop___sancov_\w+"
    r")$"
)

# Why a C function is refused, for those whose kind is known; all others get the last line.
REASONS_C = [
    ("reads a clock", r"clock|clock_\w+|time|gettimeofday|ftime|timespec_get|localtime(_r)?|gmtime(_r)?|mktime|nanosleep|u?sleep|timerfd_\w+"),
    ("draws randomness", r"s?rand(_r|om)?|random|[dlmnej]rand48|getrandom|getentropy|arc4random\w*|randombytes\w*"),
    ("reads the environment", r"(secure_)?getenv|setenv|putenv|environ|gethostname|uname|getpid|sysconf"),
    ("uses ZeroMQ", r"zmq_\w+"),
    ("uses SQLite", r"sqlite3_\w+"),
    ("uses sockets or polls", r"p?poll|__poll_chk|p?select|epoll_\w+|eventfd\w*|socket(pair)?|connect|accept4?|bind|listen|send(to|msg)?|recv(from|msg)?|pipe2?|[sg]etsockopt"),
    ("uses files or descriptors", r"open(at)?(64)?|close|p?read(64|v)?|__p?read(64)?_chk|p?write(64|v)?|f?open(64)?|fdopen|fclose|fread|fwrite|f?puts|f?printf|__v?f?printf_chk|putchar|fputc|putc|fflush|std(in|out|err)|ioctl|fcntl(64)?|f?stat(64)?|unlink|rename|mmap(64)?"),
    ("starts threads or processes, or waits", r"pthread_\w+|fork|vfork|exec\w+|posix_spawn\w*|wait(pid|id)?|kill|raise|signal|sigaction|system|popen|syscall"),
]
# C++ functions that a core must not call.
REFUSED_CPP = [
    ("reads a clock", r"std::chrono::.*_clock::now|compositord::(monotonic_now|unix_now)\b"),
    ("draws randomness", r"std::random_device\b"),
    ("uses spdlog", r"\bspdlog::"),
    ("uses ZeroMQ", r"\bzmq::"),
    ("uses our sockets or log", r"\bcompositord::(net|log)::"),
    ("uses streams", r"std::(basic_)?[io]?f(ile)?stream\b|std::basic_filebuf|std::(cin|cout|cerr|clog)\b|std::ios_base::Init"),
    ("uses files", r"std::filesystem::"),
    ("starts threads or waits", r"std::(thread|this_thread|condition_variable|mutex|future|__future_base)\b"),
    ("depends on the locale", r"std::locale::(locale|global)\b"),
]


def undefined_symbols(library):
    """{raw name: demangled name} of what the library's members refer to and none of them defines."""
    def nm(*options):
        return subprocess.run(["nm", *options, library], check=True, capture_output=True, text=True).stdout

    defined = {line.split()[-1] for line in nm("--defined-only", "-g").splitlines() if len(line.split()) == 3}
    lines = [line.split() for line in nm("-u").splitlines()]
    names = sorted({words[-1].split("@")[0] for words in lines if len(words) == 2} - defined)
    demangled = subprocess.run(["c++filt"], input="\n".join(names), check=True, capture_output=True, text=True).stdout
    if not defined:
        raise ValueError(f"{library}: defines nothing, so there is nothing to judge")
    return dict(zip(names, demangled.splitlines()))


def fault_of_symbol(raw, demangled, also_allow):
    """Why a core must not refer to this symbol, or nothing."""
    if raw in also_allow:
        return None
    if raw.startswith("_Z"):
        return next((why for why, pattern in REFUSED_CPP if re.search(pattern, demangled)), None)
    if ALLOWED_C.match(raw):
        return None
    return next((why for why, pattern in REASONS_C if re.fullmatch(pattern, raw)), "is no C function that a core may call")


def check(library, also_allow=()):
    problems = []
    for raw, demangled in undefined_symbols(library).items():
        fault = fault_of_symbol(raw, demangled, also_allow)
        if fault:
            problems.append(f"{library}: {demangled}: {fault}")
    return problems


def main():
    parser = argparse.ArgumentParser(description="what a core library may call")
    parser.add_argument("--also-allow", action="append", default=[], metavar="NAME")
    parser.add_argument("libraries", nargs="+", metavar="LIBRARY.a")
    arguments = parser.parse_args()
    problems = []
    for library in arguments.libraries:
        problems += check(library, arguments.also_allow)
    return tree.report(problems, f"check_symbols: {len(arguments.libraries)} libraries")


if __name__ == "__main__":
    sys.exit(main())
