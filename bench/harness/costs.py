"""What single things cost: the benches in C++, one for each part of krait, each beside a peer where there is one."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import peers
from .report import median


def output_lines(argv, env=None):
    """A list of {"name", "unit", "median", "min", "max", "p99", "samples"}, which argv prints one a line."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{Path(argv[0]).name}: {done.stderr.strip()[-200:] or f'exit {done.returncode}'}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def lines(run, program, *args, env=None):
    """What bench/PROGRAM prints."""
    return output_lines([str(run.build / "bench" / program), "--json", *args], env)


def runtime_folder(run):
    """The environment for benches that boot Python; None where the runtime is not built."""
    reactor = run.paths.get("reactor")
    return {"KRAIT_RUNTIME": str(Path(reactor).parent)} if reactor else None


PARKED = {"full": 10000, "quick": 2000, "smoke": 20}


def programs(run):
    """(heading, program, arguments) of each that can run here."""
    rounds = ["--rounds", str(run.rounds(9, 3))]
    yield "calls", "engine/calls_bench", rounds
    if run.paths.get("python.wasm"):
        yield "python.wasm", "engine/decode_bench", [*rounds, run.paths["python.wasm"]]
    yield "coroutines", "io/io_core_bench", rounds
    if runtime_folder(run):
        yield "calls through the service", "pyhost/calls_bench", ["--rounds", str(run.rounds(1000, 200))]
        yield "calls that wait", "pyhost/parked_bench", ["--rounds", str(run.rounds(3)), str(PARKED[run.size])]
    yield "state", "pyhost/state_bench", ["--rounds", str(run.rounds(100, 20))]
    yield "beside endless neighbours", "io/io_tail_bench", rounds
    if runtime_folder(run):
        yield "Python calls beside endless neighbours", "pyhost/tail_bench", ["--rounds", str(run.rounds(3))]
    yield "echo", "io/io_echo_bench", ["--rounds", str(run.rounds(7)), "--seconds", {"full": "1", "quick": "0.3", "smoke": "0.02"}[run.size]]


# What a figure is a multiple of: a peer's of the same table.
PEERS = {
    **{f"{engine}: {what}": f"V8: {what}" for engine in ("interp", "jit")
       for what in ("a turn of the loop", "guest to guest call", "guest to host call", "host to guest call")},
    "decode and validate": "V8: decode and validate",
    "switch, one way (yield)": "Boost.Asio: switch, one way (co_await post)",
    "wake + park + switch": "threads: wake + wait + switch",
    "spawn + join, one at a time": "threads: spawn + join, one at a time",
    "10,000 timers at once: fire and run, each": "Boost.Asio: 10,000 timers at once, each",
    "post to a busy shard": "Boost.Asio: post to a busy io_context",
    **{f"{count} parked calls: memory each": "python3, a fork each: memory each" for count in PARKED.values()},
    **{what: f"SQLite: {what}" for what in ("push 1 KB", "pull 1 KB", "push 1 MB", "pull 1 MB", "append 100 bytes")},
}


def beside(run, heading, folder):
    """(name, argv) of the peer that is another process; None where there is none."""
    rounds = str(run.rounds(9, 3))
    node = next(iter(peers.nodes()), None)
    v8 = [node, "--no-liftoff", "--no-wasm-tier-up", str(peers.HERE / "v8_costs.mjs"), rounds]
    if heading == "calls":
        module = str(Path(folder) / "calls.wasm")
        subprocess.run([str(run.build / "bench/engine/calls_bench"), module], check=True, timeout=60)
        return "V8", node and [*v8, "calls", module]
    if heading == "python.wasm":
        return "V8", node and [*v8, "decode", run.paths["python.wasm"]]
    if heading == "calls that wait":
        return "python3", [sys.executable, str(peers.HERE / "fork_costs.py"), str(min(500, PARKED[run.size]))]
    if heading == "state":
        return "SQLite", [sys.executable, str(peers.HERE / "sqlite_costs.py"), str(run.rounds(100, 20))]
    return None


def together(turns):
    """Of what several runs printed, one line a figure: the medians' median, the least and the most of the others."""
    found = {}
    for x in (x for turn in turns for x in turn):
        found.setdefault(x["name"], []).append(x)
    return [{**same[0], "median": median([x["median"] for x in same]), "min": min(x["min"] for x in same), "max": max(x["max"] for x in same),
             "p99": max(x["p99"] for x in same), "samples": sum(x["samples"] for x in same)} for same in found.values()]


def measure(report, run, heading, program, args, folder):
    """A bench and its peer in turn; a peer that fails is left out."""
    peer = beside(run, heading, folder)
    if not peer:
        return lines(run, program, *args, env=runtime_folder(run))
    name, argv = peer
    turns = []
    for _ in range(run.rounds(3, 3)):
        turns.append(lines(run, program, *args, env=runtime_folder(run)))
        try:
            turns.append(output_lines(argv) if argv else [])
        except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as why:
            report.left_out(f"{name}: {why}")
            argv = None
    if not argv:
        report.left_out(f"{name} beside {heading}")
    return together(turns)


def rows(found):
    of = {x["name"]: x["median"] for x in found}
    for x in found:
        peer = of.get(PEERS.get(x["name"]))
        yield [x["name"], f"{x['median']:.4g}", x["unit"], f"{x['median'] / peer:.3g}" if peer else "", f"{x['min']:.4g}", f"{x['p99']:.4g}"]


def section(report, run):
    report.begin("costs", "What single things cost")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for heading, program, args in programs(run):
            try:
                found[heading] = measure(report, run, heading, program, args, folder)
            except (RuntimeError, OSError, ValueError, subprocess.SubprocessError) as why:
                report.failed(heading, why)
                continue
            report.table([heading, "median", "", "/ its peer", "min", "p99"], list(rows(found[heading])))
    bars(report, found)
    report.figures(**found)


def bars(report, found):
    echo = {}
    for x in found.get("echo", []):
        if x["unit"] == "req/s":
            server, connections = x["name"].split(", ")
            echo.setdefault(server, {})[connections] = x["median"]
    if echo:
        report.bars("Echo server, one thread, 512-byte messages", "requests a second", echo)
