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


class NameServer:
    """Answers for the names that it has; says nothing to `silent.test`; knows no others."""

    NAMES = {"public.test": "93.184.216.34", "inside.test": "127.0.0.1"}

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.asked = set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if query == b"end":
                return self.socket.close()
            name, at = [], 12
            while query[at]:
                name.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind, question = ".".join(name), query[at + 2], query[12:at + 5]
            self.asked.add(name)
            if name == "silent.test":
                continue
            known = self.NAMES.get(name)
            answers = 1 if known and kind == 1 else 0
            head = query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\0\1" + bytes([0, answers]) + b"\0\0\0\0"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4" + socket.inet_aton(known) if answers else b""
            self.socket.sendto(head + question + answer, peer)

    def close(self):
        host, port = self.address.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"end", (host, int(port)))


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

    def test_names(self):
        names, server = NameServer(), self.server()
        self.addCleanup(names.close)
        self.assertEqual(self.script(f"""
import socket
def ask(name):
    try: return socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)[0][4]
    except PermissionError: return "refused"
    except socket.gaierror as error: return error.errno == socket.EAI_NONAME
print(ask("Public.test"), ask("inside.test"), ask("missing.test"), ask("other.test"))
try: socket.create_connection(("inside.test", {server.port}))
except PermissionError: print("refused")
""", "--allow-net", f"public.test:80,inside.test:*,missing.test:80", "--name-server", names.address),
                         "('93.184.216.34', 80) ('127.0.0.1', 80) True refused\nrefused\n")
        self.assertEqual(server.count, 0)
        self.assertLessEqual({"public.test", "inside.test", "missing.test"}, names.asked)
        self.assertNotIn("other.test", names.asked)

    def test_invoke(self):
        server = self.server()
        self.ok("upload", "u", "receive", self.file("receive.py", RECEIVE))
        port = str(server.port)
        self.assertEqual(self.ok("invoke", "u", "receive", "--input", port, "--allow-net", f"127.0.0.1:{port}").stdout, b"hello")
        refused = self.krait("invoke", "u", "receive", "--input", port)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("PermissionError", refused.stderr)
        self.assertEqual(server.count, 1)

    def test_malformed_options(self):
        script = self.file("script.py", "")
        for words in (["--allow-net", "host"], ["--allow-net", "h:0"], ["--allow-net", "a b:1"], ["--allow-listen", "x"], ["--allow-listen", "65536"],
                      ["--name-server", "a name"]):
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

    def test_hundreds_of_calls_wait_at_once(self):
        calls = 400
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4 * calls:
            self.skipTest(f"{hard} descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        slow = socket.create_server(("127.0.0.1", 0), backlog=calls)
        self.addCleanup(slow.close)
        server = self.serve("--allow-net", "127.0.0.1:*", "--max-requests", str(calls + 1), "--max-connections", str(calls + 1))
        # However slow this machine is now: the first calls wait for the last.
        self.assertEqual(server.request("PUT", "/p/u/receive?wall_ms=600000", RECEIVE)[0], 201)
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

    def test_two_calls_on_one_shard_talk(self):
        server = self.serve("--allow-net", "localhost:*", "--allow-listen", "0")
        server.put("ask", """
import asyncio
from pyfaasm import await_call_output, chain, list_state_keys, read_state, write_state
def listen():
    async def main():
        done = asyncio.Event()
        async def serve(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()
            done.set()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        write_state("port", str(server.sockets[0].getsockname()[1]).encode())
        await done.wait()
        server.close()
        return b"served"
    return asyncio.run(main())
def faasm_main():
    callee = chain(listen)
    async def main():
        async with asyncio.timeout(60):
            while "port" not in list_state_keys():
                await asyncio.sleep(0.005)
            reader, writer = await asyncio.open_connection("127.0.0.1", int(read_state("port")))
            writer.write(b"hello\\n")
            return await reader.read()
    answer = asyncio.run(main())
    return answer + await_call_output(callee)
""")
        status, _, body = server.request("POST", "/call/u/ask")
        self.assertEqual((status, body), (200, b"HELLO\nserved"), body)

    def test_a_look_up_holds_no_thread_and_ends_with_its_call(self):
        names = NameServer()
        self.addCleanup(names.close)
        server = self.serve("--allow-net", "silent.test:80,public.test:80", "--name-server", names.address)
        server.put("ask", "import socket\nfrom pyfaasm import get_input\ndef faasm_main():\n"
                          "    return socket.getaddrinfo(get_input().decode(), 80)[0][4][0].encode()\n")
        waiting = []
        for _ in range(20):
            waiting.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            waiting[-1].sendall(b"POST /call/u/ask HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nsilent.test")
        server.until(lambda stats: stats["waiting"] == 20)
        self.assertEqual(server.request("POST", "/call/u/ask", "public.test")[2], b"93.184.216.34")
        for client in waiting:
            client.close()
        server.until(lambda stats: stats["running"] + stats["waiting"] == 0)
        status, _, body = server.request("POST", "/call/u/ask?wall_ms=200", "silent.test")
        self.assertEqual((status, json.loads(body)["error"]), (504, "timeout"), body)

    def test_a_waiting_call_leaves_its_shard_to_others(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        port = silent.getsockname()[1]
        server = self.serve("--allow-net", "localhost:*", "--allow-listen", "0", "--max-running", "2")
        waits = {
            "recv": "s.recv(1)", "poll": "import select\n    p = select.poll()\n    p.register(s, select.POLLIN)\n    p.poll()",
            "select": "import select\n    select.select([s], [], [])", "makefile": "s.makefile('rb').read()",
            "accept": "l = socket.create_server(('127.0.0.1', 0))\n    l.accept()",
            "asyncio": "import asyncio\n    async def main():\n        r, w = await asyncio.open_connection(sock=s)\n        await r.read()\n    asyncio.run(main())"}
        server.put("quick", "def faasm_main():\n    return b'quick'\n")
        for name, wait in waits.items():
            server.put(name, "import socket\nfrom pyfaasm import get_input\ndef faasm_main():\n"
                             "    s = socket.create_connection(('127.0.0.1', int(get_input())))\n    " + wait + "\n")
        body = str(port).encode()
        silent.settimeout(60)
        for name in waits:
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
                client.sendall(b"POST /call/u/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" % (name.encode(), len(body), body))
                with silent.accept()[0] as peer:
                    peer.settimeout(60)
                    self.assertEqual(server.request("POST", "/call/u/quick")[2], b"quick", name)
                    client.close()  # which cancels the call, and that closes its socket
                    self.assertEqual(peer.recv(1), b"", name)
        server.until(lambda stats: stats["running"] == 0)

    def test_nothing_survives_a_reset(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        server = self.serve("--allow-net", "localhost:*", "--allow-listen", "0")
        server.put("leak", """
import os, socket
from pyfaasm import get_input
kept = []
def faasm_main():
    before = len(kept)
    for number in range(3, 1024):
        try: os.fstat(number)
        except OSError: continue
        if number > 3: before += 1
    kept.append(socket.create_connection(("127.0.0.1", int(get_input()))))
    kept.append(socket.create_server(("127.0.0.1", 0)))
    kept.extend(socket.socketpair())
    kept.extend(os.pipe())
    return b"%d %d" % (before, kept[1].getsockname()[1])
""")
        silent.settimeout(60)
        for _ in range(3):
            status, _, body = server.request("POST", "/call/u/leak", str(silent.getsockname()[1]))
            self.assertEqual(status, 200, body)
            before, port = map(int, body.split())
            self.assertEqual((status, before), (200, 0))
            with silent.accept()[0] as peer:
                peer.settimeout(60)
                self.assertEqual(peer.recv(1), b"")
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))

    def test_open_files_bound_sockets_too(self):
        server = self.serve("--allow-net", "localhost:*")
        server.put("many", """
import errno, socket
def faasm_main():
    kept = []
    try:
        while True: kept.append(socket.socket())
    except OSError as error:
        assert error.errno == errno.EMFILE
        return str(len(kept)).encode()
""")
        self.assertEqual(server.request("POST", "/call/u/many?open_files=10")[2], b"6")
        self.assertEqual(server.request("POST", "/call/u/many?sockets=5")[2], b"5")
        self.assertEqual(server.request("POST", "/call/u/many")[2], b"64")


if __name__ == "__main__":
    need_runtime()
    unittest.main()
