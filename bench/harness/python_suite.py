"""Python speed: the suite of bench/python on native CPython and on every runtime that runs python.wasm.

The suite is run whole, in rounds, each runtime once a round, so that a drift of the machine meets all of them.
A program's figure is the median over the rounds of its fastest repeat; check values must agree with native Python's.
"""
import json
import subprocess
import sys
import time

from .peers import ROOT
from .report import geometric_mean, median, spread

SUITE = ROOT / "bench" / "python"


class Failed(Exception):
    pass


def run_once(runtime, paths, scale, programs, budget):
    args = ["--repeat", "1" if runtime.interpreter else str(runtime.repeats), "--scale", str(scale), *programs]
    if runtime.native:
        argv = runtime.command(None, [], [str(SUITE / "suite.py"), *args])
    else:
        dirs = [(paths["stdlib"], "/lib"), (str(SUITE), "/suite")]
        argv = runtime.command(paths["python.wasm"], dirs, ["/suite/suite.py", *args])
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=budget, check=False)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        raise Failed(f"exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return {r["program"]: r for r in map(json.loads, done.stdout.splitlines())}, wall


def measure(runtimes, paths, rounds, scale, slow_scale, programs, budget):
    """{runtime: {program: [seconds at scale 1 of the runtime's own size, ...]}} and the native twin of each size.

    A runtime whose suite takes longer than `budget` seconds is too slow for this size: the set `late` names it.
    """
    seconds, failures, late = {}, {}, set()
    for r in range(rounds):
        checks = {}
        for runtime in sorted(runtimes, key=lambda x: not x.native):
            if runtime.name in failures or runtime.name in late:
                continue
            sizes = [scale] if not runtime.interpreter else [slow_scale]
            if runtime.native and any(x.interpreter for x in runtimes):
                sizes = [scale, slow_scale]
            for size in sizes:
                try:
                    results, _ = run_once(runtime, paths, size, programs, budget)
                except subprocess.TimeoutExpired:
                    late.add(runtime.name)
                    break
                except (Failed, ValueError) as why:
                    failures[runtime.name] = str(why)
                    break
                for name, result in results.items():
                    expected = checks.setdefault((name, size), result["check"])
                    if result["check"] != expected:
                        failures[runtime.name] = f"{name}: check {result['check']} is not {expected}"
                    seconds.setdefault((runtime.name, size), {}).setdefault(name, []).append(min(result["seconds"]))
        print(f"  round {r + 1} of {rounds}", file=sys.stderr, flush=True)
    return seconds, failures, late


def section(report, run):
    report.begin("python", "Python speed")
    if not run.paths.get("python.wasm"):
        return report.left_out("all, since python.wasm is not built (pyhost/guest/build)")
    rounds = run.rounds(5)
    scale, slow = {"full": (1.0, 0.1), "quick": (0.5, 0.05), "smoke": (0.05, 0.01)}[run.size]
    programs = run.programs or (["nbody", "json_roundtrip"] if run.size == "smoke" else [])
    budget = {"full": 600, "quick": 40, "smoke": 300}[run.size]
    seconds, failures, late = measure(run.runtimes, run.paths, rounds, scale, slow, programs, budget)
    base = next(r for r in run.runtimes if r.native)
    rows, ratios = [], {}
    for runtime in run.runtimes:
        if runtime.name in failures or runtime.name in late:
            continue
        size = slow if runtime.interpreter else scale
        mine, native = seconds[runtime.name, size], seconds[base.name, size]
        each = {name: median(mine[name]) / median(native[name]) for name in mine if name in native}
        ratios[runtime.name] = each
        worst = max(each, key=each.get)
        noise = median([spread(mine[name]) for name in mine])
        rows.append([runtime.name, f"{geometric_mean(each.values()):.2f}", f"{min(each.values()):.2f}",
                     f"{each[worst]:.2f} ({worst})", f"{noise * 100:.0f} %"])
    rows.sort(key=lambda row: float(row[1]))
    report.table([f"time / {base.name}", "geometric mean", "best", "worst", "spread"], rows,
                 note=f"{len(next(iter(ratios.values())))} programs, {rounds} rounds")
    fast = {name: each for name, each in ratios.items() if not any(r.name == name and (r.interpreter or r.native) for r in run.runtimes)}
    if len(fast) > 1:
        names = sorted(next(iter(fast.values())))
        report.table(["program", *fast], [[n, *[f"{each[n]:.2f}" for each in fast.values()]] for n in names])
    report.bars(f"Python programs: time / {base.name}, geometric mean", "ratio (log)", {"": {row[0]: float(row[1]) for row in rows}}, log=True)
    report.bars(f"Python programs, each: time / {base.name}", "ratio", fast)
    for name in sorted(late):
        report.left_out(f"{name}, since the suite takes it more than {budget} s")
    for name, why in failures.items():
        report.broke(name, why)
    report.figures(base=base.name, ratios=ratios, seconds={f"{name} @ {size}": value for (name, size), value in seconds.items()})
