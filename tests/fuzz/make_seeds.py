#!/usr/bin/python3
"""Writes the hand-made part of the fuzz corpora. Usage: make_seeds.py FOLDER (tests/fuzz/corpus)

The formats are those of byte_source.h and of the tables in broker_program.cpp, agent_program.cpp and fuzz_codec.cpp.
"""

import os
import struct
import sys


def lengthy(data):
    return bytes([len(data)]) + data if len(data) < 255 else b"\xff" + struct.pack("<H", len(data)) + data


def frames(*parts):
    return bytes([len(parts)]) + b"".join(lengthy(part) for part in parts)


def received(peer, *parts):
    return bytes([0, peer]) + frames(*parts)


TICK_2S = bytes([4, 0]) + struct.pack("<H", 2000)
NEXT = bytes([5, 0])
HEADER = b"\x83\xa1v\x01\xa2id\x07\xa6method"  # a call's header, up to its method
MAP = b"\x80"
# The first byte of an agent's program: 128 and more, and its remainder by six is the state to begin in.
AGENT_ONLINE, AGENT_WELL, AGENT_BUSY = (bytes([126 + 6 + state]) for state in (2, 4, 5))


def call(method, params):
    return HEADER + bytes([0xA0 + len(method)]) + method, params


BUS = {
    "echo": b"\x02" + received(2, b"MDPC02", b"\x01", b"echo", b"hi")
            + received(1, b"MDPW02", b"\x04", bytes(7) + b"\x01", b"", b"hi"),
    "echo-01": b"\x00" + received(1, b"", b"MDPW01", b"\x01", b"echo") + received(2, b"", b"MDPC01", b"echo", b"hi")
               + received(1, b"", b"MDPW01", b"\x03", bytes(7) + b"\x01", b"", b"hi"),
    "second-ready": b"\x02" + received(1, b"MDPW02", b"\x01", b"echo"),
    "stranger": b"\x00" + received(3, b"MDPW02", b"\x05"),
    "list": b"\x04" + received(3, b"MDPC02", b"\x01", b"bus.status", b'{"v":1,"id":1,"method":"snapshot"}'),
    "silence": b"\x04" + TICK_2S * 5,
    "unreachable": b"\x05" + bytes([6, 0, 255, 0]) + TICK_2S,
    "false-alarm": b"\x05" + NEXT * 6,
    "stall": b"\x04" + bytes([10, 0]) + struct.pack("<H", 9000) + TICK_2S,
    "hello": b"\x07" + bytes([9, 0]) + frames(b"\x01hello/me") + bytes([9, 0]) + frames(b"\x00json/"),
    "store-failed": b"\x04" + bytes([1, 0, 4, 1, 2, 2, 7, 1, 0, 9]) + bytes([8, 0, 1, 0]),
    "expired": b"\x07" + bytes([4, 0, 0x87, 0x13]) * 8,
    "leave": b"\x04" + received(0, b"MDPC02", b"\x01", b"bus.agent", *call(b"leave", MAP)),
    "agent-command": AGENT_BUSY + bytes([8, 6, 0, 0, 2]) + b"ok" + NEXT[:1] * 3,
    "agent-gone": AGENT_BUSY + bytes([8, 5, 0]) + bytes([8, 0, 8, 1, 2]),
    "agent-frozen": AGENT_WELL + bytes([5]) * 12 + bytes([8, 2]),
    # Answered and heartbeaten for 9.2 s, then another compositor: the refresh at 10 s has to wait for its first look.
    "agent-refresh-waits": AGENT_WELL + bytes([1, 4, 1, 0])
                           + b"".join(bytes([4]) + struct.pack("<H", 2000) + bytes([1, 0, 8, 2]) for _ in range(4))
                           + bytes([4]) + struct.pack("<H", 1200) + bytes([1, 0, 8, 2, 8, 0])
                           + bytes([4]) + struct.pack("<H", 900) + bytes([5, 5, 5]),
    "agent-back-off": AGENT_ONLINE + bytes([1, 1]) + bytes([5, 6]) + bytes([2, 2, 0xE8, 3, 3]),
}
CODEC = {
    "msgpack-array-bomb": b"\x00\xdd\x0f\xff\xff\xff",
    "msgpack-deep": b"\x00" + b"\x91" * 40 + b"\xc0",
    "msgpack-kinds": b"\x00\x8a\xa1a\xc0\xa1b\xc3\xa1c\xff\xa1d\xcf" + b"\xff" * 8 + b"\xa1e\xcb" + bytes(8)
                     + b"\xa1f\xc4\x01\xff\xa1g\x92\x01\x02\xa1h\x80\xa1i\xa0\xa1j\xd9\x01x",
    "msgpack-ext": b"\x00\xd4\x01\x00",
    "msgpack-twice": b"\x00\x82\xa1a\x01\xa1a\x02",
    "json-call": b'\x01{"v":1,"id":7,"method":"list","params":{"limit":3}}',
    "json-numbers": b'\x01[0,-1,1e3,1.5,18446744073709551615,-9223372036854775808]',
    "json-text": '\x01"\\u00e4 ä \\n \\ud83d\\ude00"'.encode(),
    "mdp-request": b"\x02" + frames(b"MDPC02", b"\x01", b"echo", b"hi"),
    "mdp-01-reply": b"\x02" + frames(b"", b"MDPW01", b"\x03", b"address", b"", b"hi"),
    "mdp-heartbeat": b"\x02" + frames(b"MDPW02", b"\x05", b"more"),
    "envelope": b"\x03" + frames(*call(b"get", b"\x81\xa2id\xa7wall/w1")),
    "envelope-json": b"\x03" + frames(b'{"v":1,"id":"a","status":200,"result":{}}'),
    "registration": b"\x01" + b'{"id":"wall/w1","labels":{"site":"lab"},"heartbeat_ms":1000,"software":{"name":"a","version":"1"}}',
    "report": b"\x01" + b'{"sent_at":5,"process":{"state":"killed","signal":9,"since":1,"observed_at":2},"progress":'
              b'{"state":"ok","round_trip_ms":0.5,"since":1,"observed_at":2},"outputs":[{"name":"DP-1","state":"on","since":1,'
              b'"observed_at":2}]}',
    "manifest": b"\x01" + b'{"name":"sway","kind":"wayland","display":"w1","protocols":[{"name":"a","version":1}],"outputs":'
                b'[{"name":"DP-1","current_mode":{"width_px":1,"height_px":2,"refresh_mhz":3},"transform":"flipped-90"}],'
                b'"inputs":[],"commands":[{"name":"output.mode","supported":true}]}',
    "id": b"\x04wall-3/wayland-1",
    "log": b"\x04a\x1b[31m\nb \"c\" \\ \xc3\xa4 \xff",
}


def edid():
    block = bytearray(128)
    block[0:12] = b"\x00\xff\xff\xff\xff\xff\xff\x00\x04\x6d\xb1\xa0"
    block[72:90] = b"\x00\x00\x00\xfc\x00ACME Wall\n   "
    block[108:126] = b"\x00\x00\x00\xff\x00CN-0F2X\n     "
    block[127] = -sum(block) % 256
    return bytes(block)


KERNEL = {
    "edid": b"\x00" + edid(),
    "edid-damaged": b"\x00" + edid()[:-1] + b"\x00",
    "uevent-hotplug": b"\x01change@/devices/card0\0ACTION=change\0DEVPATH=/devices/card0\0SUBSYSTEM=drm\0HOTPLUG=1\0",
    "uevent-wedged": b"\x01change@/devices/card0\0ACTION=change\0DEVPATH=/devices/card0\0SUBSYSTEM=drm\0WEDGED=rebind\x1b\0",
    "uevent-udev": b"\x01libudev\0\xfe\xed\xca\xfe",
}

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" + bytes(16) + b"\x00" + bytes(31)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x02me"
# The first byte: what was said already. 0: nothing, 1: ZMTP 3's handshake, 2: that of 2.0, 3: that of 1.0.
ZMTP = {
    "3": b"\x00" + GREETING + b"\x04" + bytes([len(READY)]) + READY + b"\x01\x02hi\x00\x00",
    "3-curve": b"\x00" + GREETING.replace(b"NULL\x00", b"CURVE"),
    "2": b"\x00\xff" + bytes(7) + b"\x01\x7f\x01\x05\x00\x02me" + b"\x00\x02hi",
    "1": b"\x00\x03\x00me\x03\x01hi\x01\x00",
    "http": b"\x00GET / HTTP/1.1\r\n\r\n",
    "message": b"\x01\x01\x06MDPC02\x01\x01\x01\x01\x04echo\x00\x02hi",
    "long": b"\x01\x02" + struct.pack(">Q", 260) + b"x" * 260,
    "huge": b"\x01\x02" + struct.pack(">Q", 1 << 62),
    "many": b"\x01" + b"\x01\x01a" * 6 + b"\x00\x01b" + b"\x00\x01c",
    "large": b"\x01" + (b"\x01\xc8" + b"x" * 200) * 4 + b"\x00\x00" + b"\x00\x01c",
    "ping": b"\x01\x01\x01a\x04\x0a\x04PING\x00\x00ctx\x00\x01b",
    "long-1": b"\x03\xff" + struct.pack(">Q", 261) + b"\x00" + b"x" * 260,
}


def main():
    for target, seeds in (("bus", BUS), ("codec", CODEC), ("kernel", KERNEL), ("zmtp", ZMTP)):
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for name, data in seeds.items():
            with open(os.path.join(folder, "seed-" + name), "wb") as file:
                file.write(data)


if __name__ == "__main__":
    sys.exit(main())
