#!/usr/bin/python3
"""Runs a program as on a kernel older than 6.15: older_kernel.py PROGRAM ARGUMENTS.

ioctl(PIDFD_GET_INFO) answers ENOTTY, as it does there, by a seccomp filter. And the program gets no capabilities, so that a zombie's
exit status in /proc is not for it to read either: what is left is what an agent without rights sees on such a kernel.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

SYS_IOCTL = {"x86_64": 16, "aarch64": 29}
PIDFD_GET_INFO = 0xC040FF0B  # _IOWR(0xFF, 11, 64 bytes), as agent/process/pidfd_info.cpp asks
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # of a classic BPF program on 32-bit words
OFFSET_NUMBER, OFFSET_SECOND_ARGUMENT = 0, 24   # in struct seccomp_data


def filter_program():
    code = [(LOAD, 0, 0, OFFSET_NUMBER), (JUMP_IF_EQUAL, 0, 3, SYS_IOCTL[platform.machine()]),
            (LOAD, 0, 0, OFFSET_SECOND_ARGUMENT), (JUMP_IF_EQUAL, 0, 1, PIDFD_GET_INFO),
            (RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.ENOTTY), (RETURN, 0, 0, SECCOMP_RET_ALLOW)]
    return len(code), b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def main():
    length, code = filter_program()
    memory = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("@HP", length, ctypes.addressof(memory)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        sys.exit(f"older_kernel.py: {os.strerror(ctypes.get_errno())}")
    os.execvp("setpriv", ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *sys.argv[1:]])


if __name__ == "__main__":
    main()
