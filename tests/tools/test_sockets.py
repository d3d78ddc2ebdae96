"""Sockets of Python in its sandbox: pairs and pipes for all, this machine's where the command line allows them. Loopback only."""
import json
import resource
import socket
import threading
import time
import unittest

import test_serve
from support import KraitTest, need_runtime


class Server:
    """Answers each connection with `answer`, after `delay`; counts them."""

    def __init__(self, answer=b"hello", delay=0.0):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]
        self.answer, self.delay, self.count = answer, delay, 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            time.sleep(self.delay)
            connection.sendall(self.answer)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Sockets(KraitTest):
    def script(self, text, *options, status=0):
        result = self.krait("run", *options, self.file("script.py", text))
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.decode()

    def server(self, **how):
        server = Server(**how)
        self.addCleanup(server.close)
        return server

    def test_pairs_and_pipes(self):
        self.assertEqual(self.script("""
import errno, os, select, socket
a, b = socket.socketpair()
a.sendall(b"one"); a.sendall(b"two")
print(b.recv(4, socket.MSG_PEEK), b.recv(4), b.recv(10))
b.setblocking(False)
try: b.recv(1)
except BlockingIOError: print("would block")
b.settimeout(0.01)
try: b.recv(1)
except TimeoutError: print("timeout")
b.setblocking(True)
try: b.recv(1)
except OSError as error: print(error.errno == errno.EDEADLK)
a.setblocking(False)
sent = 0
try:
    while True: sent += a.send(bytes(10000))
except BlockingIOError: print(sent)
print([len(x) for x in select.select([b], [a], [], 0)])
a.close()
left = 0
while piece := b.recv(65536): left += len(piece)
print(left, b.recv(1))
try: b.send(b"x")
except BrokenPipeError: print("broken")
c, d = socket.socketpair(type=socket.SOCK_DGRAM)
c.send(b"long"); c.send(b"next")
print(d.recv(2), d.recv(9))
r, w = os.pipe()
os.write(w, b"pipe"); os.close(w)
print(os.read(r, 9), os.read(r, 9))
"""), "b'onet' b'onet' b'wo'\nwould block\ntimeout\nTrue\n65536\n[1, 0, 0]\n65536 b''\nbroken\nb'lo' b'next'\nb'pipe' b''\n")

    def test_descriptors_run_out(self):
        self.assertEqual(self.script("""
import errno, socket
kept = []
try:
    while True: kept.append(socket.socketpair())
except OSError as error: print(error.errno == errno.EMFILE, len(kept) > 400)
kept.clear()
socket.socketpair()
"""), "True True\n")

    def test_no_network_by_default(self):
        server = self.server()
        text = f"""
import socket
for f in (lambda: socket.create_connection(("127.0.0.1", {server.port})), lambda: socket.getaddrinfo("example.invalid", 80)):
    try: f()
    except PermissionError: print("refused")
    except OSError as error: print(error)
"""
        self.assertIn("refused", self.script(text))
        for other in (f"127.0.0.1:{server.port + 1 if server.port < 65535 else 1}", "*:*", f"10.0.0.1:{server.port}"):
            self.assertIn("refused", self.script(text, "--allow-net", other), other)
        self.assertEqual(server.count, 0)

    def test_a_client(self):
        server = self.server(answer=b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        text = f"""
import asyncio, socket, urllib.request
with socket.create_connection(("127.0.0.1", {server.port}), timeout=5) as s:
    print(s.getpeername()[1] == {server.port}, s.getsockname()[0], s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    print(s.recv(8))
print(urllib.request.urlopen("http://127.0.0.1:{server.port}/").read())
async def main():
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", {server.port}), 5)
    print((await reader.read())[-2:])
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
"""
        self.assertEqual(self.script(text, "--allow-net", f"127.0.0.1:{server.port}"), "True 127.0.0.1 0\nb'HTTP/1.0'\nb'ok'\nb'ok'\n")
        self.assertEqual(server.count, 3)

    def test_asyncio_serves_itself(self):
        self.assertEqual(self.script("""
import asyncio
async def echo(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async def ask(i):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"line %d\\n" % i)
        answer = await reader.read()
        writer.close()
        return answer
    print(await asyncio.gather(*(ask(i) for i in range(3))))
    server.close()
    try: await asyncio.create_subprocess_exec("true")
    except NotImplementedError as error: print(error)
asyncio.run(main())
""", "--allow-listen", "0", "--allow-net", "127.0.0.1:*"), "[b'LINE 0\\n', b'LINE 1\\n', b'LINE 2\\n']\na sandbox has no processes\n")

    def test_listening_is_asked_for(self):
        text = """
import socket
s = socket.socket()
for f in (lambda: s.bind(("127.0.0.1", 0)), lambda: s.listen()):
    try: f()
    except PermissionError: print("refused")
"""
        self.assertEqual(self.script(text, "--allow-net", "127.0.0.1:*"), "refused\nrefused\n")
        self.assertEqual(self.script(text, "--allow-listen", "0"), "")

    def test_errors(self):
        closed = socket.create_server(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        closed.close()
        self.assertEqual(self.script(f"""
import socket
for timeout in (None, 5):
    try: socket.create_connection(("127.0.0.1", {port}), timeout=timeout)
    except ConnectionRefusedError: print("nobody")
kept = []
try:
    while True: kept.append(socket.socket())
except OSError as error: print(len(kept))
u = kept.pop(); u.close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: u.sendto(b"x", ("127.0.0.2", 9))
except PermissionError: print("refused")
print(u.sendto(b"x", ("127.0.0.1", {port})))
""", "--allow-net", f"127.0.0.1:{port}"), "nobody\nnobody\n64\nrefused\n1\n")

    def test_malformed_options(self):
        script = self.file("script.py", "")
        for words in (["--allow-net", "host"], ["--allow-net", "h:0"], ["--allow-net", "a b:1"], ["--allow-listen", "x"], ["--allow-listen", "65536"]):
            self.fails(2, words[0], "run", *words, script)


RECEIVE = """
import socket
from pyfaasm import get_input, set_output
def faasm_main():
    s = socket.create_connection(("127.0.0.1", int(get_input())))
    set_output(s.recv(100))
"""


class Service(KraitTest):
    def serve(self, *options):
        server = test_serve.Server(self.home, "--shards", "1", *options)
        self.addCleanup(server.close)
        return server

    def test_a_thousand_calls_wait_at_once(self):
        calls = 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4 * calls:
            self.skipTest(f"{hard} descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        slow = socket.create_server(("127.0.0.1", 0), backlog=calls)
        self.addCleanup(slow.close)
        server = self.serve("--allow-net", "127.0.0.1:*", "--max-requests", str(calls + 1), "--max-connections", str(calls + 1))
        server.put("receive", RECEIVE)
        body = str(slow.getsockname()[1]).encode()
        request = b"POST /call/u/receive HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        clients, peers = [], []
        for _ in range(calls):
            clients.append(socket.create_connection(("127.0.0.1", server.port), timeout=120))
            clients[-1].sendall(request)
        slow.settimeout(120)
        for _ in range(calls):  # no call is answered before all have come
            peers.append(slow.accept()[0])
        for peer in peers:
            peer.sendall(b"slow")
            peer.close()
        answers = [b"".join(iter(lambda: client.recv(65536), b"")) for client in clients]
        for client in clients:
            client.close()
        self.assertEqual(sum(answer.endswith(b"slow") for answer in answers), calls)

    def test_limits_end_waits_and_close_sockets(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        port = silent.getsockname()[1]
        server = self.serve("--allow-net", "127.0.0.1:*", "--allow-listen", "0")
        server.put("receive", RECEIVE)
        server.put("accept", "import socket\ndef faasm_main():\n    s = socket.create_server(('127.0.0.1', 0))\n    s.accept()\n")
        server.put("stubborn", RECEIVE.replace("    set_output(s.recv(100))", "    while True:\n        try: s.recv(100)\n        except TimeoutError: pass"))
        for name in "receive", "accept", "stubborn":
            status, _, body = server.request("POST", f"/call/u/{name}?wall_ms=300&grace_ms=100", str(port))
            self.assertEqual((status, json.loads(body)["error"]), (504, "timeout"), name)
        silent.settimeout(60)
        for _ in range(2):  # what the calls left open was closed with them
            with silent.accept()[0] as peer:
                peer.settimeout(60)
                self.assertEqual(peer.recv(1), b"")
        self.assertEqual(server.request("POST", "/call/u/receive?sockets=0", str(port))[0], 500)

    def test_sockets_of_module_code_are_opened_in_each_call(self):
        server = self.serve()
        server.put("pair", """
import socket
from pyfaasm import set_output
a, b = socket.socketpair()
def faasm_main():
    a.send(b"x")
    set_output(b.recv(10))
""")
        for _ in range(3):
            self.assertEqual(server.request("POST", "/call/u/pair")[2], b"x")


if __name__ == "__main__":
    need_runtime()
    unittest.main()
