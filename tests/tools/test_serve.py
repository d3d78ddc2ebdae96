"""`krait serve` over real sockets: uploads, calls, errors, framing, limits, disconnects, the end."""
import concurrent.futures
import contextlib
import ctypes
import errno
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import time
import unittest

from support import KRAIT, ROOT, KraitTest, need_runtime


class Server:
    """A krait serve of its own; `stop()` gives its status and what it said."""

    def __init__(self, home, *options):
        environment = {**os.environ, "KRAIT_HOME": str(home)}
        engine = os.environ.get("KRAIT_TEST_ENGINE", "interp")
        self.process = subprocess.Popen([KRAIT, "serve", "--port", "0", "--engine", engine, *options], env=environment,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if not found:
            raise AssertionError(line + self.process.communicate()[1])
        self.port = int(found.group(1))

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        """(status, fields, body)"""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def put(self, name, source):
        status, _, body = self.request("PUT", f"/p/u/{name}", source)
        assert status in (200, 201), body

    def raw(self, data, timeout=60):
        """Sends bytes and reads until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stats(self):
        return json.loads(self.request("GET", "/stats")[2])

    def until(self, what):
        """Waits until the counters say so; the test's own time limit ends it."""
        while not what(self.stats()):
            time.sleep(0.01)

    def stop(self, which=signal.SIGTERM):
        self.process.send_signal(which)
        said = self.process.communicate(timeout=120)[1]
        return self.process.returncode, said

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def forbid_io_uring():
    """In a child: io_uring_setup (425) is EPERM, as a container's seccomp profile has it."""
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(filters)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(38, 1, 0, 0, 0) or prctl(22, 2, program, 0, 0):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        raise OSError(ctypes.get_errno(), "seccomp")


class Serve(KraitTest):
    def serve(self, *options):
        server = Server(self.home, *options)
        self.addCleanup(server.close)
        return server

    def test_ping_upload_call_list_delete(self):
        server = self.serve()
        self.assertEqual(server.request("GET", "/ping")[::2], (200, b"pong\n"))
        source = b"from pyfaasm.core import get_input, set_output\ndef faasm_main():\n  set_output(get_input()[::-1])\n"
        status, _, body = server.request("PUT", "/p/u/reverse", source)
        self.assertEqual(status, 201)
        self.assertEqual({k: json.loads(body)[k] for k in ("user", "function", "kind", "bytes")},
                         {"user": "u", "function": "reverse", "kind": "python", "bytes": len(source)})
        data = bytes(range(256)) * 300
        status, fields, body = server.request("POST", "/call/u/reverse", data)
        self.assertEqual((status, body, fields["Content-Type"]), (200, data[::-1], "application/octet-stream"))
        self.assertIn("run;dur=", fields["Server-Timing"])
        self.assertEqual(server.request("PUT", "/p/u/reverse", source + b"\n")[0], 200)
        self.assertEqual(server.request("GET", "/p/u/reverse")[2], source + b"\n")
        listed = json.loads(server.request("GET", "/functions/u")[2])["functions"]
        self.assertEqual([(f["user"], f["function"]) for f in listed], [("u", "reverse")])
        self.assertEqual(server.request("DELETE", "/f/u/reverse")[0], 404)
        self.assertEqual(server.request("DELETE", "/p/u/reverse")[0], 204)
        self.assertEqual(server.request("POST", "/call/u/reverse", b"")[0], 404)
        self.assertEqual(server.request("DELETE", "/p/u/reverse")[0], 404)

    def test_wasm(self):
        server = self.serve()
        module = self.module("nothing", '(module (func (export "_start")))').read_bytes()
        self.assertEqual(server.request("PUT", "/f/u/nothing", module)[0], 201)
        self.assertEqual(server.request("POST", "/call/u/nothing", b"")[::2], (200, b""))
        status, _, body = server.request("PUT", "/f/u/bad", module[:-3])
        self.assertEqual((status, json.loads(body)["error"]), (400, "invalid"))

    def test_errors_are_json_with_the_right_status(self):
        server = self.serve()
        status, _, body = server.request("PUT", "/p/u/bad", b"x = 1\nif x\n  pass\n")
        self.assertEqual((status, json.loads(body)["error"]), (400, "invalid"))
        self.assertIn("line 2", json.loads(body)["message"])
        self.assertIn("SyntaxError", json.loads(body)["message"])
        server.put("raises", "import sys\ndef faasm_main():\n  print('said'); print('cried', file=sys.stderr)\n  raise KeyError('k')\n"
                             "def status():\n  return 7\ndef leaves():\n  import os; os._exit(3)\n"
                             "def endless():\n  while True:\n    try:\n      while True: pass\n    except BaseException: pass\n")
        status, fields, body = server.request("POST", "/call/u/raises", b"")
        said = json.loads(body)
        self.assertEqual((status, said["error"], fields["X-Krait-Error"]), (500, "exception", "exception"))
        self.assertEqual((said["type"], said["message"], said["stdout"]), ("KeyError", "'k'", "said\n"))
        self.assertIn("raises.py\", line 4, in faasm_main", said["traceback"])
        self.assertIn("cried", said["stderr"])
        status, _, body = server.request("POST", "/call/u/raises?entry=status", b"")
        self.assertEqual((status, json.loads(body)["error"], json.loads(body)["status"]), (500, "status", 7))
        self.assertEqual(json.loads(server.request("POST", "/call/u/raises?entry=leaves", b"")[2])["status"], 3)
        status, _, body = server.request("POST", "/call/u/raises?entry=endless&wall_ms=50&grace_ms=50", b"")
        self.assertEqual((status, json.loads(body)["error"]), (504, "timeout"))
        for method, path, expected in (("POST", "/call/u/none", 404), ("POST", "/call/u/a%2Fb", 400), ("GET", "/nowhere", 404),
                                       ("GET", "/call/u/raises", 405), ("POST", "/call/u/raises?wall_ms=x", 400),
                                       ("POST", "/call/u/raises?no_such=1", 400), ("POST", "/call/u/%zz", 400),
                                       ("PUT", "/p/.u/f", 400), ("POST", "/p/u/f", 405), ("GET", "/p/u/none", 404)):
            with self.subTest(method=method, path=path):
                status, fields, body = server.request(method, path, b"")
                self.assertEqual(status, expected, body)
                self.assertEqual(json.loads(body)["error"], fields["X-Krait-Error"])

    def test_every_name_of_pyfaasm(self):
        server = self.serve("--shards", "2")
        server.put("every_name", (ROOT / "tests" / "guest" / "functions" / "every_name.py").read_bytes())
        status, _, body = server.request("POST", "/call/u/every_name", b"in\0put")
        self.assertEqual((status, body), (200, b"fine"))

    def test_databases(self):
        server = self.serve("--shards", "2")
        server.put("databases", (ROOT / "tests" / "guest" / "functions" / "databases.py").read_bytes())
        self.assertEqual(server.request("POST", "/call/u/databases")[2], b"fine")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            holder = pool.submit(server.request, "POST", "/call/u/databases?entry=hold", b"on")
            while server.request("POST", "/call/u/databases?entry=attempt")[2] != b"True":
                time.sleep(0.01)
            server.request("POST", "/call/u/databases?entry=end")
            self.assertEqual(holder.result()[0], 200)
        self.assertEqual(server.request("POST", "/call/u/databases?entry=attempt")[2], b"False")

    def test_a_kill_loses_no_push_and_the_next_server_starts_from_the_snapshots(self):
        server = self.serve()
        server.put("f", "import os\nfrom pyfaasm import *\nmade = os.urandom(8).hex()\ndef faasm_main():\n  return f\"{made} {hash('x')}\"\n"
                        "def push(data):\n  write_state('key', data)\n  push_state('key')\n  append_state('log', data)\n"
                        "def read(data):\n  return read_state('key') + b' ' + b','.join(read_appended_state('log'))\n")
        made = server.request("POST", "/call/u/f")[2]
        for i in range(3):
            self.assertEqual(server.request("POST", "/call/u/f?entry=push", b"%d" % i)[0], 200)
            self.assertEqual(server.stop(signal.SIGKILL)[0], -signal.SIGKILL)
            server = self.serve()
            self.assertEqual(server.request("POST", "/call/u/f?entry=read")[2], b"%d %s" % (i, b",".join(b"%d" % n for n in range(i + 1))))
        self.assertEqual(server.request("POST", "/call/u/f")[2], made)

    def test_calls_that_are_started_and_asked_for_later(self):
        server = self.serve("--shards", "2")
        server.put("f", "import time\nfrom pyfaasm import *\ndef faasm_main():\n  return get_input()[::-1]\ndef bad():\n  raise KeyError('lost')\n"
                        "def slow(data):\n  time.sleep(3600)\ndef parent(data):\n  await_call(chain(slow))\n")
        status, fields, body = server.request("POST", "/start/u/f", b"abc")
        call = json.loads(body)["call"]
        self.assertEqual((status, fields["Location"]), (202, f"/calls/u/{call}"))
        for accept in {}, {}, {"Accept": "application/json"}:  # it may be read again
            status, fields, body = server.request("GET", f"/calls/u/{call}?wait_ms=60000", headers=accept)
            self.assertEqual((status, json.loads(body)["output"].encode() if accept else body, fields["X-Krait-Call"]), (200, b"cba", str(call)))
        for path in f"/calls/v/{call}", "/calls/u/0", "/calls/u/x", "/calls/u/999999":
            self.assertEqual(server.request("GET", path)[0], 404)
            self.assertEqual(server.request("DELETE", path)[0], 404)
        self.assertEqual(server.request("GET", f"/calls/u/{call}?wait=1")[0], 400)
        self.assertEqual(server.request("DELETE", f"/calls/u/{call}")[0], 204)
        self.assertEqual(server.request("GET", f"/calls/u/{call}")[0], 404)
        bad = json.loads(server.request("POST", "/start/u/f?entry=bad")[2])["call"]
        status, _, body = server.request("GET", f"/calls/u/{bad}?wait_ms=60000")
        self.assertEqual((status, json.loads(body)["type"]), (500, "KeyError"))
        parent = json.loads(server.request("POST", "/start/u/f?entry=parent")[2])["call"]
        server.until(lambda s: s["waiting"] == 2)
        status, _, body = server.request("GET", f"/calls/u/{parent}?wait_ms=10")
        self.assertEqual((status, json.loads(body)), (202, {"call": parent, "state": "running"}))
        self.assertEqual(server.request("DELETE", f"/calls/u/{parent}")[0], 204)
        status, _, body = server.request("GET", f"/calls/u/{parent}?wait_ms=60000")
        self.assertEqual((status, json.loads(body)["error"]), (503, "cancelled"))
        server.until(lambda s: s["waiting"] + s["running"] == 0)  # its child too
        self.assertEqual(server.request("POST", "/start/u/none")[0], 404)
        self.assertEqual(server.request("POST", "/start/u/f?wall_ms=x")[0], 400)

    def test_faasms_messages(self):
        server = self.serve()
        server.put("f", "import time\nfrom pyfaasm import *\ndef faasm_main():\n  if get_input() == b'bad':\n    return 3\n  if get_input() == b'raise':\n    raise KeyError(1)\n"
                        "  if get_input() == b'slow':\n    time.sleep(3600)\n  set_output(get_input() + b'!')\n")

        def message(**fields):
            return server.request("POST", "/", json.dumps({"user": "python", "function": "py_func", "python": True, "py_user": "u", "py_func": "f", **fields}))

        self.assertEqual(message(input_data="hello")[::2], (200, b"hello!"))
        self.assertEqual(server.request("POST", "/", json.dumps({"user": "u", "function": "f", "input_data": "x"}))[::2], (200, b"x!"))
        for data, expected in ("hello", "SUCCESS: hello!"), ("bad", "FAILED: Call failed (return value=3)"), ("raise", "FAILED: KeyError: 1"):
            call = message(input_data=data, **{"async": True})[2].decode()
            while (said := message(status=True, id=call)[2].decode()) == "RUNNING":
                time.sleep(0.01)
            self.assertEqual(said, expected)
        call = int(message(input_data="slow", **{"async": True})[2])
        self.assertEqual(message(status=True, id=call)[2], b"RUNNING")
        self.assertEqual(server.request("DELETE", f"/calls/u/{call}")[0], 204)
        self.assertEqual((message(status=True, id=call, py_user="v")[0], message(status=True)[0], message(py_func="none")[0]), (404, 404, 404))
        self.assertEqual([server.request("POST", "/", body)[0] for body in (b"", b"[]", b"{", b"{}")], [400] * 4)
        self.assertEqual(server.request("GET", "/")[0], 405)

    def test_state_and_shared_files_from_outside(self):
        server, other = self.serve(), self.serve()
        server.put("f", "import os\nfrom pyfaasm import *\ndef faasm_main():\n  value = read_state('a/b') + open('faasm://d/in.bin', 'rb').read()\n"
                        "  os.makedirs('faasm://empty', exist_ok=True)\n  open('faasm://d/out', 'wb').write(value)\n  write_state('out', value)\n  return repr(sorted(os.listdir('faasm://d')))\n")
        data = bytes(range(256)) * 1000
        self.assertEqual(server.request("PUT", "/s/u/a/b", b"state ")[0], 200)
        self.assertEqual(server.request("PUT", "/file/u/d/in.bin", data)[0], 200)
        self.assertEqual(server.request("POST", "/call/u/f")[2], b"['in.bin', 'out']")
        self.assertEqual(server.request("GET", "/s/u/out")[2], b"state " + data)  # not pushed
        self.assertEqual(other.request("GET", "/s/u/out")[0], 404)
        for each in server, other:
            self.assertEqual(each.request("GET", "/file/u/d/out")[2], b"state " + data)
            self.assertEqual(each.request("GET", "/s/u/a%2Fb")[2], b"state ")
        self.assertEqual(json.loads(other.request("GET", "/s/u")[2]), {"user": "u", "keys": [{"key": "a/b", "bytes": 6}]})
        self.assertEqual([f["key"] for f in json.loads(other.request("GET", "/file/u")[2])["keys"]], ["d/in.bin", "d/out"])
        for path, expected in (("/s/v/a/b", 404), ("/file/v/d/in.bin", 404), ("/file/u/none", 404), ("/s/.u/a", 400), ("/file/u/d/", 400), ("/s/u/" + "k" * 301, 400)):
            self.assertEqual(server.request("GET", path)[0], expected, path)
        for path, expected in (("/file/u/d", 409), ("/file/u/empty", 409), ("/file/u/d/in.bin/x", 409), ("/file/u/../v/x", 400), ("/file/u/d/..%2fx", 400), ("/s/u", 405)):
            self.assertEqual(server.request("PUT", path, b"x")[0], expected, path)
        self.assertEqual(server.request("PUT", "/s/u/a/b", b"changed")[0], 200)
        self.assertEqual(other.request("GET", "/s/u/a/b")[2], b"changed")
        for path in "/s/u/a/b", "/file/u/d/in.bin":
            self.assertEqual(server.request("DELETE", path)[0], 204)
            for each in server, other:
                self.assertEqual(each.request("GET", path)[0], 404)
            self.assertEqual(server.request("DELETE", path)[0], 404)
        self.assertEqual(server.request("PUT", "/file", b"seed", {"FilePath": "models/m"})[0], 200)  # as Faasm's clients do
        self.assertEqual(server.request("GET", "/file", None, {"FilePath": "models/m"})[2], b"seed")
        self.assertEqual(server.request("GET", "/file/python/models/m")[2], b"seed")
        self.assertEqual(server.request("GET", "/file")[0], 404)

    def test_all_of_a_report(self):
        server = self.serve()
        server.put("f", "import sys\ndef faasm_main():\n  print('x' * 5000)\n  print('cried', file=sys.stderr)\n  return b'\\xff'\n"
                        "def bad():\n  raise ValueError('no')\n")
        status, fields, body = server.request("POST", "/call/u/f?stdio_bytes=1000", b"", {"Accept": "application/json"})
        report = json.loads(body)
        self.assertEqual((status, fields["Content-Type"], report["status"], report["end"], report["output_base64"]),
                         (200, "application/json", 0, "returned", "/w=="))
        self.assertEqual((report["stdout"], report["stdout_dropped"], report["stderr"]), ("x" * 1000, 4001, "cried\n"))
        self.assertEqual(set(report["times_ns"]), {"queued", "start", "run", "reset", "cpu"})
        self.assertGreater(report["times_ns"]["run"], 0)
        self.assertGreater(report["peak_memory"], 1 << 20)
        self.assertEqual(int(fields["X-Krait-Peak-Memory"]), report["peak_memory"])
        for name in "queued", "start", "run", "reset", "cpu":
            self.assertRegex(fields["Server-Timing"], rf"\b{name};dur=\d")
        for accept in {}, {"Accept": "application/json"}:
            status, fields, body = server.request("POST", "/call/u/f?entry=bad", b"", accept)
            report = json.loads(body)
            self.assertEqual((status, report["error"], report["type"], report["message"], report["end"]), (500, "exception", "ValueError", "no", "raised"))
            self.assertGreater(report["times_ns"]["run"], 0)
            self.assertGreater(report["peak_memory"], 1 << 20)

    def test_the_images_of_functions_are_files_that_the_system_can_take_back(self):
        server = self.serve()
        source = "from pyfaasm import *\ndef faasm_main():\n    set_output(b'%d')\n"
        for i in range(3):
            server.put(f"f{i}", source % i)
            self.assertEqual(server.request("POST", f"/call/u/f{i}")[2], b"%d" % i)
        maps = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text(encoding="utf-8")
        self.assertGreaterEqual(len(set(re.findall(r"/images/plain/\w+", maps))), 3)
        # One that is no function's: the data that Python is booted with.
        self.assertLessEqual(len(set(re.findall(r"(\d+) +/memfd:krait-image", maps))), 1)

    def test_what_was_uploaded_last_runs(self):
        """Faasm's flush and thrice: the same name, three sources, called often, on all shards and from more than one server."""
        server, other = self.serve("--shards", "2"), self.serve()
        for text in "first", "second", "third":
            server.put("changes", f"import sys\nvalue = '{text}'\ndef faasm_main():\n  return value + part(b'')\ndef part(data):\n  return ' {text[::-1]}'\n")
            for each in server, other:
                for _ in range(4):
                    self.assertEqual(each.request("POST", "/call/u/changes", b"")[2].decode(), f"{text} {text[::-1]}")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(server.request, "POST", "/call/u/changes", b"") for _ in range(40)]
            server.put("changes", "def faasm_main():\n  return 'fourth'\n")
            self.assertEqual(server.request("POST", "/call/u/changes", b"")[2], b"fourth")
            self.assertLessEqual({answer.result()[2] for answer in answers}, {b"third driht", b"fourth"})

    def test_limits_of_functions_and_of_calls(self):
        """Each limit as the function's own, in the upload's query, and as a call's."""
        server = self.serve("--shards", "1")
        source = """
import sys, time
from pyfaasm import *
def wall(data):
    time.sleep(20)
def cpu(data):
    while True: pass
def memory(data):
    bytearray(60 << 20)
def output(data):
    write_output(bytes(2000))
def tmp(data):
    open('/tmp/x', 'wb').write(bytes(2_000_000))
def files(data):
    keep = [open('/tmp/x', 'w') for i in range(30)]
def depth(data):
    return await_call_output(chain(depth))
def count(data):
    for i in range(20): chain(leaf)
def held(data):
    for i in range(20): chain(leaf, bytes(1_000_000))
def leaf(data):
    time.sleep(0.2)
def stdio(data):
    print('x' * 5000)
"""
        cases = (("wall_ms=200", "wall", 504, "TimeoutError", "wall time of 200 ms"), ("cpu_ms=200", "cpu", 504, "TimeoutError", "CPU time of 200 ms"),
                 ("memory_bytes=50000000", "memory", 500, "MemoryError", ""), ("output_bytes=1000", "output", 500, "OSError", "File too large"),
                 ("tmp_bytes=1000000", "tmp", 500, "OSError", "No space left"), ("open_files=20", "files", 500, "OSError", "No file descriptors"),
                 ("chain_depth=3", "depth", 500, "pyfaasm.chain.CallError", "3 calls deep"), ("chain_count=5", "count", 500, "RuntimeError", "5 calls"),
                 ("chain_bytes=3000000", "held", 500, "RuntimeError", "3000000 bytes"))
        for of_function in True, False:
            for limit, entry, expected, kind, text in cases:
                with self.subTest(limit=limit, of_function=of_function):
                    query = f"?{limit}" if of_function else ""
                    self.assertIn(server.request("PUT", f"/p/u/limited{query}", source)[0], (200, 201))
                    query = "" if of_function else f"&{limit}"
                    status, _, body = server.request("POST", f"/call/u/limited?entry={entry}{query}", b"")
                    report = json.loads(body)
                    self.assertEqual((status, report["type"]), (expected, kind), report)
                    self.assertIn(text, report["message"])
                    self.assertIn(f"in {entry}", report["traceback"])
        status, _, body = server.request("POST", "/call/u/limited?entry=stdio&stdio_bytes=100", b"", {"Accept": "application/json"})
        self.assertEqual((json.loads(body)["stdout"], json.loads(body)["stdout_dropped"]), ("x" * 100, 4901))

    def test_fresh_hashes(self):
        server = self.serve()
        source = "def faasm_main():\n  return str(hash('x'))\n"
        for name, query in ("kept", ""), ("fresh", "?fresh_hashes=1"):
            self.assertEqual(server.request("PUT", f"/p/u/{name}{query}", source)[0], 201)
        hashes = {name: {server.request("POST", f"/call/u/{name}")[2] for _ in range(3)} for name in ("kept", "fresh", "kept?fresh_hashes=1")}
        self.assertEqual({name: len(values) for name, values in hashes.items()}, {"kept": 1, "fresh": 3, "kept?fresh_hashes=1": 3})
        self.assertEqual(server.request("PUT", "/p/u/fresh?fresh_hashes=2", source)[0], 400)

    def test_keep_alive_pipelining_chunks_and_expect(self):
        server = self.serve()
        server.put("echo", "def faasm_main(data):\n  return data\n")
        with contextlib.closing(server.connect()) as connection:
            connection.connect()
            first = connection.sock
            for i in range(5):
                connection.request("POST", "/call/u/echo", str(i).encode())
                self.assertEqual(connection.getresponse().read(), str(i).encode())
                self.assertIs(connection.sock, first)
            connection.request("POST", "/call/u/echo", iter([b"chunk ", b"by ", b"chunk"]), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
            self.assertEqual(connection.getresponse().read(), b"chunk by chunk")
        one = b"POST /call/u/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n%s\r\n%d"
        answers = server.raw(b"".join(one % (b"Connection: close\r\n" * (i == 7), i) for i in range(8)))
        self.assertEqual(re.findall(rb"\r\n\r\n(\d)", answers), [b"%d" % i for i in range(8)])
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(b"POST /call/u/echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 100 Continue"))
            connection.sendall(b"ok")
            self.assertTrue(connection.recv(10000).endswith(b"ok"))

    def test_too_large(self):
        server = self.serve("--max-body", "1000")
        self.assertEqual(server.request("POST", "/call/u/f", b"x" * 1001)[0], 413)
        self.assertIn(b" 413 ", server.raw(b"POST /call/u/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n").split(b"\r\n")[0])
        self.assertEqual(server.request("GET", "/ping")[0], 200)

    def test_a_client_that_leaves_cancels_its_call(self):
        server = self.serve("--shards", "1")
        server.put("sleeps", "import time\ndef faasm_main():\n  time.sleep(3600)\ndef spins():\n  while True: pass\n")
        for entry in ("faasm_main", "spins"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(b"POST /call/u/sleeps?entry=%s HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n" % entry.encode())
                server.until(lambda s: s["running"] + s["waiting"] == 1)
            server.until(lambda s: s["running"] + s["waiting"] == 0)

    def test_full_is_503_with_retry_after(self):
        server = self.serve("--shards", "1", "--max-requests", "3")
        server.put("sleeps", "import time\ndef faasm_main():\n  time.sleep(3600)\n")
        held = [server.connect() for _ in range(3)]
        for connection in held:
            connection.request("POST", "/call/u/sleeps", b"")
        # The counters are a request themselves: 503 says that all three have begun.
        while (answer := server.request("GET", "/ping"))[0] != 503:
            time.sleep(0.01)
        self.assertEqual(answer[1]["Retry-After"], "1")
        for connection in held:
            connection.close()
        while server.request("GET", "/ping")[0] != 200:
            time.sleep(0.01)

    def test_many_sleep_at_once(self):
        server = self.serve("--shards", "1", "--max-running", "300")
        server.put("nap", "import time\ndef faasm_main():\n  time.sleep(0.2)\n  return b'rested'\n")
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            answers = list(pool.map(lambda _: server.request("POST", "/call/u/nap", b"")[::2], range(200)))
        self.assertEqual(set(answers), {(200, b"rested")})

    def test_the_end_lets_calls_finish(self):
        server = self.serve("--access-log")
        server.put("nap", "import time\ndef faasm_main():\n  time.sleep(1)\n  return b'done'\n")
        with contextlib.closing(server.connect()) as busy, contextlib.closing(server.connect()) as idle:
            idle.request("GET", "/ping")
            idle.getresponse().read()
            busy.request("POST", "/call/u/nap", b"")
            server.until(lambda s: s["running"] + s["waiting"] == 1)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                stopped = pool.submit(server.stop)
                answer = busy.getresponse()
                self.assertEqual((answer.status, answer.read(), answer.headers["Connection"]), (200, b"done", "close"))
                status, said = stopped.result()
        self.assertEqual(status, 0)
        self.assertIn("stopped by SIGTERM", said)
        self.assertNotIn("cut off", said)
        self.assertRegex(said, r'Z POST "/call/u/nap" 200 4 \d+\.\d+ms\n')
        with self.assertRaises(OSError):
            server.request("GET", "/ping")

    def test_the_end_cuts_off_what_does_not_finish(self):
        server = self.serve("--drain", "0", "--shards", "1")
        server.put("sleeps", "import time\ndef faasm_main():\n  time.sleep(3600)\ndef spins():\n  while True: pass\n")
        held = [server.connect() for _ in range(4)]
        for i, connection in enumerate(held):
            connection.request("POST", "/call/u/sleeps" + "?entry=spins" * (i % 2), b"")
        server.until(lambda s: s["running"] + s["waiting"] == 4)
        status, said = server.stop(signal.SIGINT)
        for connection in held:
            connection.close()
        self.assertEqual(status, 0, said)
        self.assertIn("stopped by SIGINT", said)
        self.assertIn("cut off", said)

    def test_a_port_that_is_taken_is_one_clear_line(self):
        server = self.serve()
        done = subprocess.run([KRAIT, "serve", "--port", str(server.port)], env={**os.environ, "KRAIT_HOME": str(self.home)},
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^krait: cannot listen on 127\.0\.0\.1 port \d+: Address already in use\n$")

    def test_without_io_uring_is_one_clear_line(self):
        done = subprocess.run([KRAIT, "serve", "--port", "0"], env={**os.environ, "KRAIT_HOME": str(self.home)}, capture_output=True,
                              text=True, timeout=60, preexec_fn=forbid_io_uring)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Akrait: [^\n]*io_uring is forbidden[^\n]*\n\Z")


if __name__ == "__main__":
    need_runtime()
    unittest.main()
