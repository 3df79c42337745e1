"""A network between a client and one TCP endpoint, that can be cut and healed, and that can stop to pass anything on."""

import selectors
import socket
import threading

CHUNK = 65_536


class TcpProxy:
    """cut(): all connections are closed, and new ones at once. stall(): they stay, and nothing passes. heal(): as at first."""

    def __init__(self, endpoint):
        host, port = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "tcp://127.0.0.1:%d" % self._listener.getsockname()[1]
        self._wake_inside, self._wake = socket.socketpair()
        self._mode = "open"
        self._seen = threading.Condition()
        self._done = None  # the mode that the thread has come to
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self):
        self._become("cut")

    def stall(self):
        self._become("stalled")

    def heal(self):
        self._become("open")

    def _become(self, mode):
        with self._seen:
            self._mode = mode
            self._wake.send(b"x")
            self._seen.wait_for(lambda: self._done == mode or not self._thread.is_alive())

    def _run(self):
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ)
        selector.register(self._wake_inside, selectors.EVENT_READ)
        other = {}

        def close(one):
            for end in (one, other[one]) if one in other else ():
                del other[end]
                if end.fileno() in selector.get_map():
                    selector.unregister(end)
                end.close()

        while True:
            for key, _ in selector.select():
                one = key.fileobj
                if one is self._wake_inside:
                    one.recv(CHUNK)
                    with self._seen:
                        mode = self._mode
                    if mode != "open":
                        for end in list(other):
                            if mode == "cut":
                                close(end)
                            elif end.fileno() in selector.get_map():
                                selector.unregister(end)
                    else:
                        for end in other:
                            if end.fileno() not in selector.get_map():
                                selector.register(end, selectors.EVENT_READ)
                    with self._seen:
                        self._done = mode
                        self._seen.notify_all()
                    if mode == "end":
                        for end in list(other):
                            close(end)
                        return
                elif one is self._listener:
                    front = one.accept()[0]
                    if self._mode == "cut":
                        front.close()
                        continue
                    try:
                        back = socket.create_connection(self._target)
                    except OSError:
                        front.close()
                        continue
                    other[front], other[back] = back, front
                    if self._mode == "open":
                        selector.register(front, selectors.EVENT_READ)
                        selector.register(back, selectors.EVENT_READ)
                elif one in other:
                    try:
                        data = one.recv(CHUNK)
                        other[one].sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        close(one)

    def close(self):
        self._become("end")
        self._thread.join()
        for end in (self._listener, self._wake_inside, self._wake):
            end.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
