"""Starts: a whole process from exec to exit, for an empty Python program; medians of interleaved runs."""
import subprocess
import tempfile
import time
from pathlib import Path

from . import report


def wall(argv):
    start = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    took = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip()[-200:])
    return took


def commands(runtimes, paths, script):
    """{name: argv}: python.wasm in every runtime, natives without, and krait's own way (the reactor)."""
    for runtime in runtimes:
        if runtime.native:
            yield runtime.name, runtime.command(None, [], ["-c", "pass"])
        elif paths.get("python.wasm"):
            dirs = [(paths["stdlib"], "/lib")]
            yield f"{runtime.name}, python.wasm", runtime.command(paths["python.wasm"], dirs, ["-c", "pass"])
            if runtime.name.startswith("krait"):
                yield f"{runtime.name}, reactor", runtime.command(script, [], [])


def section(runtimes, paths, quick=False, programs=()):
    del programs
    rounds = 3 if quick else 11
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text("pass\n", encoding="utf-8")
        todo = dict(commands(runtimes, paths, script))
        times, failures = {}, {}
        for _ in range(rounds):
            for name, argv in todo.items():
                if name in failures:
                    continue
                try:
                    took = wall(argv)
                    times.setdefault(name, []).append(took)
                except (RuntimeError, OSError, subprocess.TimeoutExpired) as why:
                    failures[name] = str(why)
    base = next(iter(times))
    rows = [[name, f"{report.median(t) * 1000:.1f}", f"{report.median(t) / report.median(times[base]):.2f}",
             f"{report.spread(t) * 100:.0f} %"] for name, t in times.items() if name not in failures]
    rows.sort(key=lambda row: float(row[1]))
    report.table(["start of an empty program", "ms", f"/ {base}", "spread"], rows, title=f"Starts, {rounds} rounds")
    for name, why in failures.items():
        print(f"  failed: {name}: {why}")
    return {"base": base, "seconds": times, "failures": failures}
