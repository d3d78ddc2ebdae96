"""What single things cost: the benches in C++, one for each part of krait."""
import json
import os
import subprocess
from pathlib import Path


def lines(run, program, *args, env=None):
    """What bench/PROGRAM prints: a list of {"name", "unit", "median", "min", "max", "p99", "samples"}."""
    argv = [str(run.build / "bench" / program), "--json", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=900, check=False, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{program}: {done.stderr.strip()[-200:] or f'exit {done.returncode}'}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def runtime_folder(run):
    """The environment for benches that boot Python; None where the runtime is not built."""
    reactor = run.paths.get("reactor")
    return {"KRAIT_RUNTIME": str(Path(reactor).parent)} if reactor else None


def programs(run):
    """(heading, program, arguments) of each that can run here."""
    rounds = ["--rounds", str(run.rounds(9, 3))]
    yield "calls", "engine/calls_bench", rounds
    if run.paths.get("python.wasm"):
        yield "python.wasm", "engine/decode_bench", [*rounds, run.paths["python.wasm"]]
    yield "coroutines", "io/io_core_bench", rounds
    if runtime_folder(run):
        yield "calls through the service", "pyhost/calls_bench", ["--rounds", str(run.rounds(1000, 200))]
        yield "calls that wait", "pyhost/parked_bench", ["--rounds", str(run.rounds(3)), {"full": "10000", "quick": "2000", "smoke": "20"}[run.size]]
    yield "state", "pyhost/state_bench", ["--rounds", str(run.rounds(100, 20))]
    yield "beside endless neighbours", "io/io_tail_bench", rounds
    if runtime_folder(run):
        yield "Python calls beside endless neighbours", "pyhost/tail_bench", ["--rounds", str(run.rounds(3))]
    yield "echo", "io/io_echo_bench", ["--rounds", str(run.rounds(7)), "--seconds", {"full": "1", "quick": "0.3", "smoke": "0.02"}[run.size]]


def section(report, run):
    report.begin("costs", "What single things cost")
    found = {}
    for heading, program, args in programs(run):
        try:
            found[heading] = lines(run, program, *args, env=runtime_folder(run))
        except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as why:
            report.failed(heading, why)
            continue
        report.table([heading, "median", "", "min", "p99"],
                     [[x["name"], f"{x['median']:.4g}", x["unit"], f"{x['min']:.4g}", f"{x['p99']:.4g}"] for x in found[heading]])
    echo = {}
    for x in found.get("echo", []):
        if x["unit"] == "req/s":
            server, connections = x["name"].split(", ")
            echo.setdefault(server, {})[connections] = x["median"]
    if echo:
        report.bars("Echo server, one thread, 512-byte messages", "requests a second", echo)
    report.figures(**found)
