"""Real processes for tests: the broker, the agent, a compositor. Their output is read by threads, so that no pipe can fill
up, and waited for with a deadline."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tools", "story"))
from loopback import own_tcp  # noqa: E402

# Generous: what takes this long on a busy machine under a sanitizer will never come.
PATIENCE_S = 30


def program(name):
    """The path of one of our programs, which the test's environment names: COMPOSITORD, COMPOSITOR_AGENT."""
    variable = name.upper().replace("-", "_")
    path = os.environ.get(variable)
    if not path or not os.access(path, os.X_OK):
        raise RuntimeError(f"set {variable} to the path of {name} (ctest does it): it is {path!r}")
    return path


@contextlib.contextmanager
def temporary_folder():
    folder = tempfile.mkdtemp(prefix="compositord-bus-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Program:
    """One process. Lines of its standard output and standard error are kept."""

    def __init__(self, command, **popen):
        self.command = command
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, **popen)
        self.pid = self._process.pid
        self.out, self.err = [], []
        self._changed = threading.Condition()
        self._open = 2
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self._process.stdout, self.out), (self._process.stderr, self.err))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self._changed:
                lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def wait_for(self, condition, what, patience_s=PATIENCE_S):
        """Waits until condition() is true; it is asked anew after each line and when the output ends."""
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._open == 0, patience_s)
            if not condition():
                raise AssertionError(f"{what}: not seen from {self.command[0]}\n" + "\n".join(self.out + self.err))

    def wait_for_log(self, pattern, after=0, patience_s=PATIENCE_S):
        """The first line of the log, from line `after` on, that the pattern is found in."""
        compiled = re.compile(pattern)
        found = []

        def seen():
            found[:] = [line for line in self.err[after:] if compiled.search(line)]
            return bool(found)

        self.wait_for(seen, f"a log line with {pattern!r}", patience_s)
        return found[0]

    def has_ended(self):
        return self._process.poll() is not None

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, patience_s=PATIENCE_S):
        """Its exit status, negative for a signal; all its output has been read."""
        status = self._process.wait(patience_s)
        for reader in self._readers:
            reader.join(patience_s)
        return status

    def kill(self):
        if self._process.poll() is None:
            self._process.kill()
        self.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Broker(Program):
    """A compositord on ports that the system chose. With wait=False it may fail to start. What is None is left to its
    configuration."""

    def __init__(self, state_dir, *arguments, wait=True, bus=own_tcp(), feed=own_tcp(), log_level="debug", launcher=(),
                 **popen):
        given = (("--bus", bus), ("--feed", feed), ("--log-level", log_level))
        options = [word for option in given if option[1] is not None for word in option]
        super().__init__([*launcher, program("compositord"), *options, "--state-dir", state_dir, *arguments], **popen)
        self.bus = self.feed = None
        if wait:
            try:
                self.wait_for(lambda: "ready" in self.out, "the line 'ready'")
            except AssertionError:
                self.kill()
                raise
            self.bus, self.feed = self._endpoint("bus"), self._endpoint("feed")

    def _endpoint(self, name):
        return next(line.split(" ", 1)[1] for line in self.out if line.startswith(name + " "))

    def log_length(self):
        return len(self.err)

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.wait()


@contextlib.contextmanager
def broker(*arguments, **options):
    """A broker with a state directory of its own."""
    with temporary_folder() as folder, Broker(folder, *arguments, **options) as running:
        yield running


class Sway(Program):
    """A headless sway, which refuses to run as root."""

    UID = 1500

    def __init__(self, runtime_dir):
        config = os.path.join(runtime_dir, "sway.cfg")
        with open(config, "w", encoding="ascii") as file:
            file.write("xwayland disable\n")
        launcher = []
        if os.geteuid() == 0:
            for path in (runtime_dir, config):
                os.chown(path, self.UID, self.UID)
            launcher = ["/usr/bin/setpriv", f"--reuid={self.UID}", f"--regid={self.UID}", "--clear-groups"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_RUNTIME_DIR": runtime_dir,
                       "WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}
        super().__init__([*launcher, "/usr/bin/sway", "-c", config], env=environment, cwd=runtime_dir)


class Window(Program):
    """A window on the one display in `runtime_dir`, which is sway's."""

    def __init__(self, runtime_dir):
        super().__init__(["/usr/bin/weston-flower"],
                         env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_RUNTIME_DIR": runtime_dir,
                              "WAYLAND_DISPLAY": "wayland-1"})


class Agent(Program):
    """A compositor-agent for the one display in `runtime_dir`."""

    def __init__(self, bus, runtime_dir, identity, *arguments):
        environment = {**os.environ, "XDG_RUNTIME_DIR": runtime_dir}
        environment.pop("WAYLAND_DISPLAY", None)
        super().__init__([program("compositor-agent"), "--broker", bus, "--id", identity, *arguments], env=environment)
