"""Where brokers of a test or a story listen."""

import os


def own_tcp():
    """An endpoint on a loopback address that no other process takes ports of. A broker that is to come back at its port
    finds it free: on 127.0.0.1 any connection of any program may have got it meanwhile."""
    pid = os.getpid()
    return f"tcp://127.{1 + (pid >> 16) % 254}.{(pid >> 8) % 256}.{pid % 256}:*"
