"""The service over HTTP: calls a second, latency against offered load, many functions, many calls in flight, one shard and two.

The load comes from h2load (Debian: nghttp2-client) on the same machine and cores, so a server alone would do better.
"""
import contextlib
import http.client
import os
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import peers
from .report import median, percentile, spread

NOOP = "def faasm_main():\n    pass\n"
SLEEP = "import time\n\n\ndef faasm_main():\n    time.sleep(0.5)\n"
PORT_WITHIN = 60  # seconds for a server to be up


class Server:
    """A process that listens; the first line it says names its port as http://ADDRESS:PORT."""

    def __init__(self, argv, env=None):
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **(env or {})})
        if not select.select([self.process.stdout], [], [], PORT_WITHIN)[0]:
            self.stop()
            raise RuntimeError(f"{argv[0]}: not up within {PORT_WITHIN} s")
        line = self.process.stdout.readline().strip()
        port = re.search(r"http://[0-9.]+:(\d+)", line)
        if not port:
            self.stop()
            raise RuntimeError(f"{argv[0]}: expected a line with its address, got {line!r}")
        self.port = int(port[1])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def resident(self):
        """Bytes of its own: shared mappings of files are not counted."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()
        return (int(fields[1]) - int(fields[2])) * resource.getpagesize()

    def request(self, method, path, body):
        """The answer's body, of status 200, 201 or 204; any other is a RuntimeError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(method, path, body.encode())
        answer = connection.getresponse()
        got = answer.read()
        connection.close()
        if answer.status not in (200, 201, 204):
            raise RuntimeError(f"{method} {path}: {answer.status} {got[:200]!r}")
        return got

    def put(self, function, source):
        self.request("PUT", f"/p/bench/{function}", source)

    def call(self, function, body, entry="faasm_main"):
        return self.request("POST", f"/call/bench/{function}?entry={entry}", body)


@contextlib.contextmanager
def krait(run, home, shards):
    server = Server([str(run.build / "tools" / "krait"), "serve", "--port", "0", "--shards", str(shards),
                     "--max-connections", "20000", "--max-requests", "20000", "--max-running", "20000"], {"KRAIT_HOME": home})
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def forking():
    server = Server([sys.executable, str(peers.HERE / "fork_server.py")])
    try:
        yield server
    finally:
        server.stop()


class Load:
    """A run of h2load: a closed loop, or `rate` requests a second. latencies: seconds of the answers with status 200; rate: of them, a second."""

    def __init__(self, port, functions, connections, seconds=None, requests=None, rate=None):
        with tempfile.TemporaryDirectory() as folder:
            body, log, uris = (Path(folder) / n for n in ("body", "log", "uris"))
            body.write_bytes(b"x")
            uris.write_text("".join(f"http://127.0.0.1:{port}/call/bench/{f}\n" for f in functions), encoding="ascii")
            argv = ["h2load", "--h1", "-t", "1", "-c", str(connections), "-d", str(body), "-i", str(uris), f"--log-file={log}"]
            if rate:
                # Connections that began together would send together, a burst a period: each begins at a time of its own instead.
                argv += [f"--rps={rate / connections:.4f}", "-n", str(int(rate * seconds)), "-r", "1", "--rate-period=7ms"]
            else:
                argv += ["-D", str(seconds)] if seconds else ["-n", str(requests)]
            begin = time.monotonic()
            done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
            took = time.monotonic() - begin
            if done.returncode != 0 or not log.exists():
                raise RuntimeError(f"h2load: {(done.stderr or done.stdout).strip()[-200:]}")
            rows = [list(map(int, line.split("\t")[:3])) for line in log.read_text(encoding="ascii").splitlines()]
        good = [r for r in rows if r[1] == 200]
        if not good:
            raise RuntimeError(f"no answer with status 200, {len(rows)} others, the first {rows[0][1] if rows else 'missing'}")
        self.latencies = [r[2] / 1e6 for r in good]
        self.others = len(rows) - len(good)
        span = (max(r[0] + r[2] for r in good) - min(r[0] for r in good)) / 1e6 or took
        self.rate = len(good) / span
        self.span = span

    def row(self):
        return [f"{self.rate:,.0f}", *[f"{percentile(self.latencies, q) * 1000:.2f}" for q in (0.5, 0.99)], str(self.others)]


COLUMNS = ["calls/s", "p50 ms", "p99 ms", "not 200"]


def throughput(report, run, servers):
    """{name: best calls a second}: closed loops over several numbers of connections, the servers taking turns."""
    counts = {"full": [1, 8, 64, 256], "quick": [1, 64], "smoke": [2]}[run.size]
    seconds = {"full": 3, "quick": 1, "smoke": 1}[run.size]
    loads = {}
    for _ in range(run.rounds(3)):
        for connections in counts:
            for name, port in servers.items():
                loads.setdefault((name, connections), []).append(Load(port, ["noop"], connections, seconds=seconds))
    rows, rates = [], {}
    for (name, connections), runs in loads.items():
        middle = sorted(runs, key=lambda x: x.rate)[len(runs) // 2]
        forks = median([x.rate for x in loads[list(servers)[-1], connections]])
        rows.append([f"{name}, {connections} connections", *middle.row(), f"{middle.rate / forks:.1f}", f"{spread([x.rate for x in runs]) * 100:.0f} %"])
        rates.setdefault(name, {})[f"{connections} connections"] = middle.rate
    report.table(["closed loop, noop", *COLUMNS, "/ forks", "spread"], rows, note=f"{run.rounds(3)} rounds")
    report.bars("HTTP: calls of noop", "calls a second", rates)
    return {name: max(each.values()) for name, each in rates.items()}


def offered(report, run, servers, best):
    """Latency where calls come at a given rate, whatever the server does: shares of each server's own best rate."""
    shares = {"full": [0.1, 0.3, 0.5, 0.7, 0.9, 1.1], "quick": [0.2, 0.6, 0.9], "smoke": [0.2]}[run.size]
    rows, series = [], {}
    for name, port in servers.items():
        for share in shares:
            load = Load(port, ["noop"], 32, seconds={"full": 3, "quick": 1, "smoke": 1}[run.size], rate=max(32, best[name] * share))
            rows.append([f"{name}, {best[name] * share:,.0f}/s offered", *load.row()])
            for q in (0.5, 0.99):
                series.setdefault(f"{name}, p{q * 100:.0f}", []).append([load.rate, percentile(load.latencies, q) * 1000])
    report.table(["offered load, noop", *COLUMNS], rows)
    report.curve("HTTP: latency against load", "calls a second", "ms", series)


def functions(report, run, server):
    """Calls spread over more and more functions: what a snapshot for each costs."""
    counts = {"full": [1, 10, 100, 1000], "quick": [1, 100], "smoke": [3]}[run.size]
    rows, points = [], []
    uploaded = 0
    for count in counts:
        while uploaded < count:
            server.put(f"f{uploaded}", NOOP)
            uploaded += 1
        names = [f"f{i}" for i in range(count)]
        Load(server.port, names, 16, requests=2 * count + 16)  # each has been called
        load = Load(server.port, names, 16, requests={"full": 10000, "quick": 2000, "smoke": 30}[run.size])
        rows.append([f"{count} functions", *load.row(), f"{server.resident() / 2**20:.0f}"])
        points.append([count, load.rate])
    report.table(["in turn, 16 connections", *COLUMNS, "server MiB"], rows)
    report.curve("HTTP: calls a second over functions", "functions", "calls a second", {"krait": points}, log_y=False)


def in_flight(report, run, server):
    """Calls that sleep for half a second, all at once."""
    counts = {"full": [1, 10, 100, 1000, 10000], "quick": [1, 100, 1000], "smoke": [20]}[run.size]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    rows, points = [], []
    for count in counts:
        if count + 100 > limit:
            report.left_out(f"{count} calls in flight, since a process may open {limit} files here")
            continue
        before = server.resident()
        load = Load(server.port, ["sleep"], count, requests=count)
        rows.append([f"{count} calls of sleep(0.5)", f"{load.span:.2f}", *load.row(), f"{(server.resident() - before) / count / 1024:.0f}"])
        points.append([count, load.span])
    report.table(["in flight", "seconds for all", *COLUMNS, "KiB kept a call"], rows)
    report.curve("HTTP: calls that sleep 0.5 s, all at once", "calls in flight", "seconds for all", {"krait": points})


def section(report, run):
    report.begin("service", "The service over HTTP")
    if not run.paths.get("reactor"):
        return report.left_out("all, since the Python runtime is not built (pyhost/guest/build)")
    if not shutil.which("h2load"):
        return report.left_out("all, since there is no h2load (Debian: nghttp2-client)")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
                krait(run, one, 1) as single, krait(run, two, 2) as double, forking() as forks:
            for server in (single, double):
                server.put("noop", NOOP)
                server.put("sleep", SLEEP)
            servers = {"krait, 1 shard": single.port, "krait, 2 shards": double.port, "python3, a fork a call": forks.port}
            best = throughput(report, run, servers)
            offered(report, run, servers, best)
            functions(report, run, double)
            in_flight(report, run, single)
            report.figures(best_calls_a_second=best)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
        report.failed("service", why)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
