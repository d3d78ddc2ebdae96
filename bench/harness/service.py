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
        """Bytes that the system cannot take back: all resident ones but those of files on a disk."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return sum(int(kib) * 1024 for kib in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+) kB$", status, re.M))

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
def forking(sources):
    """Server of {function: source}, which fork_server.py holds from its start."""
    with tempfile.TemporaryDirectory() as folder:
        for function, source in sources.items():
            (Path(folder) / f"{function}.py").write_text(source, encoding="ascii")
        server = Server([sys.executable, str(peers.HERE / "fork_server.py"), folder])
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
FORKS = "python3, a fork a call"
FORKS_AT_ONCE = 1000  # fork_server.py's max_children


def rate(load):
    return load.rate


def p50(load):
    return percentile(load.latencies, 0.5)


def span(load):
    return load.span


def middle(runs, figure):
    return sorted(runs, key=figure)[len(runs) // 2]


def in_turns(report, run, cases):
    """{case: its runs}, round after round. cases: {(server's name, x): a function that makes a Load}."""
    loads, broken = {}, set()
    for _ in range(run.rounds(3, 3)):
        for case, measure in cases.items():
            if case in broken:
                continue
            try:
                loads.setdefault(case, []).append(measure())
            except RuntimeError as why:
                broken.add(case)
                loads.pop(case, None)
                report.broke(", ".join(map(str, case)), why)
    return loads


def compare(report, run, title, loads, label, figure, named, extra=None):
    """A row a case: the run in the middle by `figure`, this as a ratio to forking's at the same x (`named`), and its spread."""
    rows = []
    for (name, x), runs in loads.items():
        chosen = middle(runs, figure)
        forks = loads.get((FORKS, x))
        ratio = f"{figure(chosen) / median([figure(r) for r in forks]):.3g}" if forks else "-"
        rows.append([f"{name}, {label(name, x)}", *chosen.row(), *(extra[1](name, x) if extra else []), ratio,
                     f"{spread([figure(r) for r in runs]) * 100:.0f} %"])
    report.table([title, *COLUMNS, *(extra[0] if extra else []), named, "spread"], rows, note=f"medians of {run.rounds(3, 3)} runs in turn")


def curves(loads, figure, scale=1):
    """{server: [[x, the median figure], ...]}."""
    series = {}
    for (name, x), runs in loads.items():
        series.setdefault(name, []).append([x, median([figure(r) for r in runs]) * scale])
    return series


def throughput(report, run, servers):
    """{name: best calls a second}: closed loops over several numbers of connections."""
    counts = {"full": [1, 8, 64, 256], "quick": [1, 64], "smoke": [2]}[run.size]
    seconds = {"full": 2, "quick": 1, "smoke": 1}[run.size]
    loads = in_turns(report, run, {(name, n): lambda s=server, n=n: Load(s.port, ["noop"], n, seconds=seconds)
                                   for n in counts for name, server in servers.items()})
    compare(report, run, "closed loop, noop", loads, lambda _, n: f"{n} connections", rate, "/ forks")
    rates = curves(loads, rate)
    report.bars("HTTP: calls of noop", "calls a second",
                {name: {f"{n} connections": r for n, r in points} for name, points in rates.items()})
    return {name: max(r for _, r in points) for name, points in rates.items()}


def offered(report, run, servers, best):
    """Latency where calls come at a given rate, whatever the server does: shares of each server's own best rate."""
    shares = {"full": [0.1, 0.3, 0.5, 0.7, 0.9, 1.1], "quick": [0.2, 0.6, 0.9], "smoke": [0.2]}[run.size]
    seconds = {"full": 2, "quick": 1, "smoke": 1}[run.size]
    loads = in_turns(report, run, {(name, share): lambda s=servers[name], r=rates * share: Load(s.port, ["noop"], 32, seconds=seconds, rate=max(32, r))
                                   for share in shares for name, rates in best.items()})
    compare(report, run, "offered load, noop", loads, lambda name, share: f"{share:.0%} of its best: {best[name] * share:,.0f}/s", p50,
            "p50 / forks'")
    series = {}
    for (name, _), runs in loads.items():
        chosen = middle(runs, p50)
        for q in (0.5, 0.99):
            series.setdefault(f"{name}, p{q * 100:.0f}", []).append([chosen.rate, percentile(chosen.latencies, q) * 1000])
    report.curve("HTTP: latency against load", "calls a second", "ms", series)


def functions(report, run, servers):
    """Calls spread over more and more functions: what a snapshot for each costs."""
    counts = function_counts(run)
    requests = {"full": 10000, "quick": 2000, "smoke": 30}[run.size]
    resident, cases = {}, {}
    for name, server in servers.items():
        for i in range(counts[-1] if name != FORKS else 0):
            server.put(f"f{i}", NOOP)
        for count in counts:
            names = [f"f{i}" for i in range(count)]
            if name != FORKS:
                Load(server.port, names, 16, requests=2 * count + 16)  # each has been called
                resident[name, count] = f"{server.resident() / 2**20:.0f}"
            cases[name, count] = lambda s=server, n=names, r=requests if name != FORKS else max(32, requests // 10): Load(s.port, n, 16, requests=r)
    loads = in_turns(report, run, cases)
    compare(report, run, "in turn, 16 connections", loads, lambda _, n: f"{n} functions", rate, "/ forks",
            (["server MiB"], lambda name, n: [resident.get((name, n), "-")]))
    report.curve("HTTP: calls a second over functions", "functions", "calls a second", curves(loads, rate))


def function_counts(run):
    return {"full": [1, 10, 100, 1000], "quick": [1, 100], "smoke": [3]}[run.size]


def in_flight(report, run, servers):
    """Calls that sleep for half a second, all at once."""
    counts = {"full": [1, 10, 100, 1000, 10000], "quick": [1, 100, 1000], "smoke": [20]}[run.size]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    kept, cases = {}, {}
    for count in counts:
        if count + 100 > limit:
            report.left_out(f"{count} calls in flight, since a process may open {limit} files here")
            continue
        for name, server in servers.items():
            if name == FORKS and count > FORKS_AT_ONCE:
                report.left_out(f"{name}, {count} in flight: it runs {FORKS_AT_ONCE} processes at once")
                continue
            cases[name, count] = lambda s=server, n=count: Load(s.port, ["sleep"], n, requests=n)
    before = {name: server.resident() for name, server in servers.items()}

    def kept_a_call(name, count):
        """From the section's start to the end of the first round with so many: what stays is for the next ones."""
        return [kept.get((name, count), "-")]

    def measured(name, count, measure):
        load = measure()
        if name != FORKS:
            kept.setdefault((name, count), f"{(servers[name].resident() - before[name]) / count / 1024:.0f}")
        return load

    loads = in_turns(report, run, {(name, n): lambda c=(name, n), m=m: measured(*c, m) for (name, n), m in cases.items()})
    compare(report, run, "sleep(0.5), all at once", loads, lambda _, n: f"{n} in flight", span, "time / forks'",
            (["s for all", "KiB kept a call"], lambda name, n: [f"{median([x.span for x in loads[name, n]]):.2f}", *kept_a_call(name, n)]))
    report.curve("HTTP: calls that sleep 0.5 s, all at once", "calls in flight", "seconds for all", curves(loads, span))


def section(report, run):
    report.begin("service", "The service over HTTP")
    if not run.paths.get("reactor"):
        return report.left_out("all, since the Python runtime is not built (pyhost/guest/build)")
    if not shutil.which("h2load"):
        return report.left_out("all, since there is no h2load (Debian: nghttp2-client)")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        sources = {"noop": NOOP, "sleep": SLEEP}
        many = {f"f{i}": NOOP for i in range(function_counts(run)[-1])}
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
                krait(run, one, 1) as single, krait(run, two, 2) as double, forking(sources | many) as forks:
            for server in (single, double):
                for function, source in sources.items():
                    server.put(function, source)
            servers = {"krait, 1 shard": single, "krait, 2 shards": double, FORKS: forks}
            best = throughput(report, run, servers)
            offered(report, run, servers, best)
            functions(report, run, servers)
            in_flight(report, run, servers)
            report.figures(best_calls_a_second=best)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
        report.failed("service", why)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
