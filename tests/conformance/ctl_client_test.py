#!/usr/bin/python3
"""18/MDP from a client's side: compositorctl, over a socket, at a broker that is played here frame by frame.

Usage: ctl_client_test.py BIN_FOLDER
"""

import os
import subprocess
import sys
import unittest

import zmq

PATIENCE_MS = 30_000
BIN = ""


class CtlClient(unittest.TestCase):
    def setUp(self):
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.router.linger = 0
        self.router.bind("tcp://127.0.0.1:*")
        endpoint = self.router.get(zmq.LAST_ENDPOINT).decode()
        self.command = [os.path.join(BIN, "compositorctl"), "--broker", endpoint]

    def tearDown(self):
        self.router.close()
        self.context.term()

    def ask(self, *arguments):
        """Starts compositorctl; its routing id and the frames of its request."""
        self.process = subprocess.Popen([*self.command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end)
        self.assertTrue(self.router.poll(PATIENCE_MS), "it asks nothing")
        peer, *frames = self.router.recv_multipart()
        return peer, frames

    def end(self):
        self.process.kill()
        self.process.communicate()

    def ended(self):
        """(exit status, standard output)"""
        out, _ = self.process.communicate(timeout=PATIENCE_MS / 1000)
        return self.process.returncode, out

    def test_request_has_no_delimiter_as_a_dealer_socket_sends_it(self):
        _, frames = self.ask("req", "--raw", "echo", "hello")
        self.assertEqual(frames, [b"MDPC02", b"\x01", b"echo", b"hello"])

    def test_client_must_be_prepared_for_partial_before_the_final(self):
        peer, _ = self.ask("req", "--raw", "echo", "hello")
        for part in (b"one", b"two"):
            self.router.send_multipart([peer, b"MDPC02", b"\x02", b"echo", part])
        self.router.send_multipart([peer, b"MDPC02", b"\x03", b"echo", b"end"])
        status, out = self.ended()
        self.assertEqual((status, out.split()), (0, ["one", "two", "end"]))

    def test_client_must_be_prepared_for_zero_partial(self):
        peer, _ = self.ask("req", "--raw", "echo", "hello")
        self.router.send_multipart([peer, b"MDPC02", b"\x03", b"echo", b"end"])
        status, out = self.ended()
        self.assertEqual((status, out.split()), (0, ["end"]))

    def test_a_partial_does_not_end_a_call(self):
        peer, _ = self.ask("req", "echo", "hello")
        reply = b'{"v":1,"id":1,"status":%d,"result":{"who":"%s"}}'
        self.router.send_multipart([peer, b"MDPC02", b"\x02", b"echo", reply % (500, b"half")])
        self.router.send_multipart([peer, b"MDPC02", b"\x03", b"echo", reply % (200, b"whole")])
        status, out = self.ended()
        self.assertEqual(status, 0)
        self.assertIn("whole", out)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
