#!/usr/bin/python3
"""A webhook's receiver that behaves as the path says. Prints its port, then a line of JSON for each request.

Usage: http_receiver.py [FILE.pem]    the certificate and the key, for https

/ok              200
/status/503      that status
/later/503/2     that status for the first 2 requests, then 200
/busy/1/2        429 with "Retry-After: 1" for the first 2 requests, then 200
/hang            reads the request and never answers
/half            closes the connection in the middle of its answer's body
/cut             closes it in the middle of its answer's first line
/slow/300        answers after 300 ms
/redirect/3      307 to /redirect/2, …, /redirect/0 is 200
/moved           302 to /ok
/to/URL          302 to that URL, percent-encoded
"""

import http.server
import json
import ssl
import sys
import threading
import urllib.parse


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told = threading.Lock()
    seen = {}
    never = threading.Event()

    def do_POST(self):  # the name that http.server looks for
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode("utf-8")
        with self.told:
            self.seen[self.path] = self.seen.get(self.path, 0) + 1
            count = self.seen[self.path]
            print(json.dumps({"method": self.command, "path": self.path, "body": body,
                              "headers": {name.lower(): value for name, value in self.headers.items()}}), flush=True)
        _, what, *rest = self.path.split("?")[0].split("/")
        getattr(self, "answer_" + what)(count, *rest)

    do_GET = do_POST

    def end(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def answer_ok(self, _):
        self.end(200)

    def answer_status(self, _, status):
        self.end(int(status))

    def answer_later(self, count, status, failures):
        self.end(int(status) if count <= int(failures) else 200)

    def answer_busy(self, count, seconds, failures):
        if count <= int(failures):
            self.end(429, Retry_After=seconds)
        else:
            self.end(200)

    def answer_hang(self, _):
        self.never.wait()

    def answer_half(self, _):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        self.close_connection = True

    def answer_cut(self, _):
        self.wfile.write(b"HTTP/1.1 2")
        self.close_connection = True

    def answer_slow(self, _, milliseconds):
        self.never.wait(int(milliseconds) / 1000)
        self.end(200)

    def answer_redirect(self, _, left):
        if left == "0":
            self.end(200)
        else:
            self.end(307, Location=f"/redirect/{int(left) - 1}")

    def answer_moved(self, _):
        self.end(302, Location="/ok")

    def answer_to(self, _, url):
        self.end(302, Location=urllib.parse.unquote(url))

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Receiver)
    if len(sys.argv) > 1:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1])
        # The handshake belongs to the request's thread: a client that goes away in it must not stop the others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_port, flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)
