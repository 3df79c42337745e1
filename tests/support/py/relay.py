"""Stands between peers and the broker, passes everything on in both directions, and keeps what it saw."""

import threading

import zmq


class Relay:
    """`seen`: (direction, frames) in order; the direction is "to broker" or "from broker"."""

    def __init__(self, bus):
        self._bus = bus
        self._context = zmq.Context()
        self._front = self._context.socket(zmq.ROUTER)
        self._front.linger = 0
        self.endpoint = f"tcp://127.0.0.1:{self._front.bind_to_random_port('tcp://127.0.0.1')}"
        self._stop_inside, self._stop = self._context.socket(zmq.PAIR), self._context.socket(zmq.PAIR)
        self._stop_inside.bind("inproc://stop")
        self._stop.connect("inproc://stop")
        self.seen = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        backs, peers = {}, {}
        poller = zmq.Poller()
        poller.register(self._front, zmq.POLLIN)
        poller.register(self._stop_inside, zmq.POLLIN)
        while True:
            for socket, _ in poller.poll():
                if socket is self._stop_inside:
                    for back in backs.values():
                        back.close()
                    return
                frames = socket.recv_multipart()
                if socket is self._front:
                    peer, frames = frames[0], frames[1:]
                    if peer not in backs:
                        backs[peer] = self._context.socket(zmq.DEALER)
                        backs[peer].linger = 0
                        backs[peer].connect(self._bus)
                        peers[backs[peer]] = peer
                        poller.register(backs[peer], zmq.POLLIN)
                    self.seen.append(("to broker", frames))
                    backs[peer].send_multipart(frames)
                else:
                    self.seen.append(("from broker", frames))
                    self._front.send_multipart([peers[socket], *frames])

    def close(self):
        self._stop.send(b"")
        self._thread.join()
        for socket in (self._front, self._stop_inside, self._stop):
            socket.close(linger=0)
        self._context.term()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
