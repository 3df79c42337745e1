"""Every compositor that runs here without a screen: how it is started, for tests and benchmarks in Python.

A Desktop is one of them with what it stands on (a runtime directory, a session bus, an X server); `start()` may follow
each end. What C++ tests start is in tests/support/compositor_process.cpp, and the traps are the same.
"""

import dataclasses
import fcntl
import os
import select
import shutil
import stat

from fleet import Failure, unprivileged_user  # tools/story must be in sys.path

HEADLESS_WLR = {"WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1", "WLR_RENDERER": "pixman"}


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str  # as our manifest says it
    arguments: tuple  # {dir} and {display} are filled in
    environment: dict = dataclasses.field(default_factory=dict)
    display: str = "wayland-0"  # what it takes in an empty directory
    x11: bool = False
    bus: bool = False  # needs a session bus, and then our own user
    config: str = ""  # written to {dir}/config

    @property
    def is_x_client(self):
        return self.x11 and self.name != "Xvfb"


KINDS = [
    Kind("sway", ("/usr/bin/sway", "-c", "{dir}/config"), HEADLESS_WLR, "wayland-1", config="xwayland disable\n"),
    Kind("weston", ("/usr/bin/weston", "--backend=headless-backend.so", "--use-pixman", "--width=1280", "--height=720",
                    "--idle-time=0", "--no-config", "--socket=wayland-1"), {}, "wayland-1"),
    Kind("phoc", ("/usr/bin/phoc", "-C", "{dir}/config"), HEADLESS_WLR,
         config="[core]\nxwayland=false\n[output:HEADLESS-1]\nmode=1280x720\nscale=1\n"),
    Kind("cage", ("/usr/bin/cage", "--", "/usr/bin/weston-simple-shm"), HEADLESS_WLR),
    # A copy: the installed one has file capabilities, which containers forbid.
    Kind("kwin_wayland", ("{dir}/kwin_wayland", "--virtual", "--width", "1280", "--height", "720", "--no-lockscreen",
                          "--no-global-shortcuts"), {"KWIN_COMPOSE": "Q"}, bus=True),
    Kind("mutter", ("/usr/bin/mutter", "--headless", "--wayland", "--no-x11", "--virtual-monitor", "1280x720@60"), bus=True),
    Kind("Xvfb", ("/usr/bin/Xvfb", "{display}", "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-noreset", "-ac"),
         x11=True),
    Kind("xcompmgr", ("/usr/bin/xcompmgr",), x11=True),
    Kind("picom", ("/usr/bin/picom", "--backend", "xrender", "--config", "/dev/null"), x11=True),
    Kind("compiz", ("/usr/bin/compiz", "--replace", "move", "resize", "place", "decoration"), x11=True),
    Kind("openbox", ("/usr/bin/openbox",), x11=True),
]
BY_NAME = {kind.name: kind for kind in KINDS}


_x_displays = set()


def free_x_display():
    """The name of an X display that nobody uses, and none of ours will."""
    os.makedirs("/tmp/.X11-unix", exist_ok=True)
    if not stat.S_IMODE(os.stat("/tmp/.X11-unix").st_mode) & stat.S_IWOTH:
        os.chmod("/tmp/.X11-unix", 0o1777)  # a server without rights does not make it
    number = 60_000 + os.getpid() * 16 % 5_000
    while number in _x_displays or os.path.exists(f"/tmp/.X{number}-lock") or os.path.exists(f"/tmp/.X11-unix/X{number}"):
        number += 1
    _x_displays.add(number)
    return f":{number}"


class Desktop:
    """One compositor of a Fleet; `process` is its subprocess while it runs."""

    def __init__(self, fleet, kind, name=None):
        """`name`: where there are several of a kind."""
        self.fleet = fleet
        self.kind = kind
        self.name = name or kind.name
        self.program = None
        self.user = None if kind.bus else unprivileged_user()
        self.dir = os.path.join(fleet.dir, self.name)
        os.mkdir(self.dir, 0o700)
        self.display = free_x_display() if kind.x11 else kind.display
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_RUNTIME_DIR": self.dir, "LIBGL_ALWAYS_SOFTWARE": "1",
            **kind.environment}
        if kind.config:
            with open(os.path.join(self.dir, "config"), "w", encoding="utf-8") as config:
                config.write(kind.config)
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        if kind.bus:
            self._start_bus()
        if kind.name == "kwin_wayland":
            shutil.copyfile("/usr/bin/kwin_wayland", os.path.join(self.dir, "kwin_wayland"))
            os.chmod(os.path.join(self.dir, "kwin_wayland"), 0o755)
        if kind.is_x_client:
            self.environment["DISPLAY"] = self.display
            server = BY_NAME["Xvfb"]
            running = fleet.start(self.name + "-server", [*self._filled(server.arguments), "-displayfd", "1"],
                                  self.environment, self.user)
            running.lines_until(self.display[1:])

    def _start_bus(self):
        address = "unix:path=" + os.path.join(self.dir, "bus")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = address
        bus = self.fleet.start(self.name + "-bus", [
            "/usr/bin/dbus-daemon", "--session", "--nofork", "--address=" + address, "--print-address=1"], self.environment)
        if not select.select([bus.process.stdout], [], [], 15)[0]:
            raise Failure("the session bus did not start:\n" + bus.tail())

    def _filled(self, arguments):
        return [argument.format(dir=self.dir, display=self.display) for argument in arguments]

    def start(self):
        self.program = self.fleet.start(self.name, self._filled(self.kind.arguments), self.environment, self.user)
        return self.program

    @property
    def pid(self):
        return self.program.pid

    def ended(self):
        """Takes what is left of a compositor that has been told to end."""
        self.program.process.wait(20)
        self.program.process.stdout.close()
        self.fleet.programs.remove(self.program)
        self.program = None
        # A child that it has just made has its lock until it becomes another program: nobody could take the display's name before.
        lock = os.path.join(self.dir, self.display + ".lock")
        if not self.kind.x11 and os.path.exists(lock):
            with open(lock, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)

    def agent_arguments(self, compositor_id):
        return [os.path.join(self.fleet.bin, "compositor-agent"), "--broker", self.fleet.bus, "--id", compositor_id,
                "-w", self.display]

    def start_agent(self, compositor_id, *options):
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "XDG_RUNTIME_DIR": self.dir}
        return self.fleet.start(self.name + "-agent", [*self.agent_arguments(compositor_id), *options], environment)

    def probe_command(self):
        """What a user would run to see whether it answers; ends with an error when it does not within a second."""
        if self.kind.x11:
            return ["timeout", "1", "xdpyinfo", "-display", self.display]
        return ["timeout", "1", "env", "XDG_RUNTIME_DIR=" + self.dir, "WAYLAND_DISPLAY=" + self.display, "wayland-info"]
