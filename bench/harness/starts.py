"""Starts: a whole process from exec to exit for an empty Python program, and what a warm server pays for a fresh interpreter."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import costs, peers
from .report import median, percentile, spread

NOOP = "def faasm_main():\n    pass\n"


def wall(argv, env):
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False, env=env)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip()[-200:])
    return took


def commands(run, script):
    """{name: argv}: python.wasm in every runtime, natives without, and krait's own ways."""
    for runtime in run.runtimes:
        if runtime.native:
            yield runtime.name + " -c pass", runtime.command(None, [], ["-c", "pass"])
        elif run.paths.get("python.wasm"):
            dirs = [(run.paths["stdlib"], "/lib")]
            yield f"{runtime.name}, python.wasm -c pass", runtime.command(run.paths["python.wasm"], dirs, ["-c", "pass"])
            if runtime.name.startswith("krait"):
                engine = runtime.name.split()[1]
                yield f"{runtime.name}, run", runtime.command(script, [], [])
                yield f"{runtime.name}, invoke noop", [str(run.build / "tools" / "krait"), "invoke", "bench", "noop", "--engine", engine]


def processes(report, run, folder):
    rounds = run.rounds(11, 3)
    script = Path(folder) / "empty.py"
    script.write_text("pass\n", encoding="utf-8")
    env = {**os.environ, "KRAIT_HOME": str(Path(folder) / "home")}
    function = Path(folder) / "noop.py"
    function.write_text(NOOP, encoding="utf-8")
    if run.paths.get("python.wasm"):
        subprocess.run([str(run.build / "tools" / "krait"), "upload", "bench", "noop", str(function)], env=env, check=True, capture_output=True)
    todo, times = dict(commands(run, script)), {}
    for argv in todo.values():
        subprocess.run(argv, env=env, capture_output=True, timeout=300, check=False)  # disk caches and code caches are warm for all
    for _ in range(rounds):
        for name, argv in list(todo.items()):
            try:
                times.setdefault(name, []).append(wall(argv, env))
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
                report.broke(name, why)
                del todo[name]
    times = {name: times[name] for name in todo}
    base = next(iter(times))
    rows = [[name, f"{median(t) * 1000:.1f}", f"{median(t) / median(times[base]):.2f}", f"{spread(t) * 100:.0f} %"]
            for name, t in sorted(times.items(), key=lambda item: median(item[1]))]
    report.table(["a new process, from exec to exit", "ms", f"/ {base}", "spread"], rows, note=f"{rounds} rounds, caches warm")
    report.bars("Start of a new process", "ms (log)", {"": {name: median(t) * 1000 for name, t in times.items()}}, log=True)
    return times


FORKS = "python3, os.fork a call"


def forked(calls):
    """Seconds a call where a warm python3 forks for each, as a pre-fork server does: request in, child answers and ends."""
    code = """import json, os, sys, time
took = []
for _ in range(int(sys.argv[1])):
    begin = time.perf_counter()
    get, put = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(put, b"done")
        os._exit(0)
    os.read(get, 4)
    os.waitpid(child, 0)
    os.close(get)
    os.close(put)
    took.append(time.perf_counter() - begin)
print(json.dumps(took))"""
    done = subprocess.run([sys.executable, "-c", code, str(calls)], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def node_workers(run, calls):
    """Seconds from new Worker to its exit, python.wasm compiled once and shared: `-c pass` in each. None without node."""
    node = next(iter(peers.nodes()), None)
    if not node or not run.paths.get("python.wasm"):
        return None
    argv = [node, "--no-warnings", "--no-liftoff", "--no-wasm-tier-up", "--no-wasm-dynamic-tiering", str(peers.HERE / "workers.mjs"),
            run.paths["python.wasm"], run.paths["stdlib"], str(calls)]
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300).stdout)


def warm(report, run):
    """A fresh interpreter for each call in a server that runs already."""
    calls = run.rounds(500, 200)
    rows, bars, rates = [], {}, []

    def add(name, median_us, p99_us):
        rows.append([name, median_us, p99_us])
        bars[name] = median_us

    env = costs.runtime_folder(run)
    if env:
        for part in costs.lines(run, "pyhost/python_bench", "--rounds", "3" if run.size == "smoke" else str(calls), env=env):
            if part["unit"] == "us":
                add(f"krait {part['name']}", part["median"], part["p99"])
            else:
                rates.append((f"krait {part['name']}", part["median"], part["unit"]))
    else:
        report.left_out("krait's own, since the Python runtime is not built (pyhost/guest/build)")
    for name, times in ((FORKS, forked(10 if run.size == "smoke" else calls)),
                        ("node: a Worker with python.wasm a call", node_workers(run, 1 if run.size == "smoke" else 7))):
        if times is None:
            report.left_out(name)
        else:
            add(name, median(times) * 1e6, percentile(times, 0.99) * 1e6)
    report.table(["within a server that runs", "us", "p99", f"/ {FORKS}"],
                 [[name, f"{middle:.1f}", f"{high:.1f}", f"{middle / bars[FORKS]:.3g}"] for name, middle, high in rows])
    if rates:
        report.table(["how many", "median", "", f"/ {FORKS}"],
                     [[name, f"{rate:,.0f}", unit, f"{rate * bars[FORKS] / 1e6:.3g}"] for name, rate, unit in rates])
    report.bars("A fresh interpreter for a call, in a running server", "us (log)", {"": bars}, log=True)
    return bars


def section(report, run):
    report.begin("starts", "Starts and resets")
    with tempfile.TemporaryDirectory() as folder:
        times = processes(report, run, folder)
    report.figures(process_seconds=times, warm_us=warm(report, run))
