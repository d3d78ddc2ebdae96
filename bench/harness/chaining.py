"""Chaining: what a call that a function makes costs the caller, one after the other, all at once, and nested; beside python3 forking a process a call."""
import subprocess
import sys
import tempfile

from . import peers, service
from .report import median, spread

FUNCTION = peers.HERE / "chains_function.py"
FORKED = peers.HERE / "fork_chains.py"
COUNTS = {"in_turn": {"full": [1000], "quick": [200], "smoke": [3]},
          "at_once": {"full": [100, 1000, 10000], "quick": [100, 1000], "smoke": [20]},
          "nested": {"full": [100, 1000], "quick": [100], "smoke": [5]}}
TITLES = {"in_turn": "one after the other", "at_once": "all at once", "nested": "each in the one before"}
FORKS = {"in_turn": 10000, "at_once": 1000, "nested": 100}  # more at once take a machine's memory: 1,000 nested ones last for 90 s


def on_krait(server):
    def seconds(entry, count):
        return float(server.call("chains", str(count), entry))
    return seconds


def forked(entry, count):
    if count > FORKS[entry]:
        return None
    argv = [sys.executable, str(FORKED), entry, str(count)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip()[-200:])
    return float(done.stdout)


def section(report, run):
    report.begin("chaining", "Chained calls")
    if not run.paths.get("reactor"):
        return report.left_out("all, since the Python runtime is not built (pyhost/guest/build)")
    found, failed = {}, set()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two, \
            service.krait(run, one, 1) as single, service.krait(run, two, 2) as double:
        for server in (single, double):
            server.put("chains", FUNCTION.read_text(encoding="utf-8"))
        ways = {"krait, 1 shard": on_krait(single), "krait, 2 shards": on_krait(double), "python3, a fork a call": forked}
        for _ in range(run.rounds(5)):
            for entry, counts in COUNTS.items():
                for count in counts[run.size]:
                    for name, way in ways.items():
                        if (name, entry, count) in failed:
                            continue
                        try:
                            took = way(entry, count)
                        except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as why:
                            report.failed(f"{name}, {count} calls {TITLES[entry]}", why)
                            failed.add((name, entry, count))
                            continue
                        if took is not None:
                            found.setdefault((entry, count), {}).setdefault(name, []).append(took / count * 1e6)
    rows, bars = [], {}
    for (entry, count), each in found.items():
        what = f"{count} calls, {TITLES[entry]}"
        for name, took in each.items():
            rows.append([f"{what}: {name}", f"{median(took):.1f}", f"{median(took) / median(next(iter(each.values()))):.2f}", f"{spread(took) * 100:.0f} %"])
            bars.setdefault(name, {})[what] = median(took)
    report.table(["chained calls", "us a call", "/ krait, 1 shard", "spread"], rows,
                 note="by the caller's clock, from the first chain() to the last output; outputs are checked")
    report.bars("Chained calls", "us a call (log)", bars, log=True)
    report.figures(us_a_call={f"{entry} {count}": each for (entry, count), each in found.items()})
