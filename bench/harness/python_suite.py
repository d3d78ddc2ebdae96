"""Python speed: the suite of bench/python on native CPython and on every runtime that runs python.wasm.

The suite is run whole, in rounds, each runtime once a round, so that a drift of the machine meets all of them.
A program's figure is the median over the rounds of its fastest repeat; check values must agree with native Python's.
"""
import json
import subprocess
import sys
import time

from . import report
from .peers import ROOT

SUITE = ROOT / "bench" / "python"


class Failed(Exception):
    pass


def run_once(runtime, paths, scale, programs):
    args = ["--repeat", "1" if runtime.interpreter else "2", "--scale", str(scale), *programs]
    if runtime.native:
        argv = runtime.command(None, [], [str(SUITE / "suite.py"), *args])
    else:
        dirs = [(paths["stdlib"], "/lib"), (str(SUITE), "/suite")]
        argv = runtime.command(paths["python.wasm"], dirs, ["/suite/suite.py", *args])
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1200, check=False)
    wall = time.perf_counter() - start
    if done.returncode != 0:
        raise Failed(f"{runtime.name}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    return {r["program"]: r for r in map(json.loads, done.stdout.splitlines())}, wall


def measure(runtimes, paths, rounds, scale, slow_scale, programs):
    """{runtime: {program: [seconds at scale 1 of the runtime's own size, ...]}} and the native twin of each size."""
    seconds, failures = {}, {}
    for r in range(rounds):
        checks = {}
        for runtime in sorted(runtimes, key=lambda x: not x.native):
            if runtime.name in failures:
                continue
            sizes = [scale] if not runtime.interpreter else [slow_scale]
            if runtime.native and any(x.interpreter for x in runtimes):
                sizes = [scale, slow_scale]
            for size in sizes:
                try:
                    results, _ = run_once(runtime, paths, size, programs)
                except (Failed, subprocess.TimeoutExpired, ValueError) as why:
                    failures[runtime.name] = str(why)
                    break
                for name, result in results.items():
                    expected = checks.setdefault((name, size), result["check"])
                    if result["check"] != expected:
                        failures[runtime.name] = f"{name}: check {result['check']} is not {expected}"
                    seconds.setdefault((runtime.name, size), {}).setdefault(name, []).append(min(result["seconds"]))
        print(f"  round {r + 1} of {rounds}", file=sys.stderr, flush=True)
    return seconds, failures


def section(runtimes, paths, quick=False, programs=()):
    """Runs and prints the section; returns it for JSON and plots."""
    if not paths.get("python.wasm"):
        print("\nPython speed: left out, python.wasm is not built (pyhost/guest/build)")
        return None
    rounds, scale, slow = (1, 0.5, 0.05) if quick else (5, 1.0, 0.1)
    seconds, failures = measure(runtimes, paths, rounds, scale, slow, list(programs))
    base = next((r for r in runtimes if r.native), None)
    rows, ratios = [], {}
    for runtime in runtimes:
        if runtime.name in failures:
            continue
        size = slow if runtime.interpreter else scale
        mine, native = seconds[runtime.name, size], seconds[base.name, size]
        each = {name: report.median(mine[name]) / report.median(native[name]) for name in mine if name in native}
        ratios[runtime.name] = each
        worst = max(each, key=each.get)
        noise = report.median([report.spread(mine[name]) for name in mine])
        rows.append([runtime.name, f"{report.geometric_mean(each.values()):.2f}", f"{min(each.values()):.2f}",
                     f"{each[worst]:.2f} ({worst})", f"{noise * 100:.0f} %"])
    rows.sort(key=lambda row: float(row[1]))
    report.table(["runtime", "geometric mean", "best", "worst", "spread"], rows,
                 title=f"Python speed: time / {base.name}, {len(next(iter(ratios.values())))} programs, {rounds} rounds")
    for name, why in failures.items():
        print(f"  failed: {name}: {why}")
    return {"base": base.name, "ratios": ratios, "failures": failures,
            "seconds": {f"{name} @ {size}": value for (name, size), value in seconds.items()}}
