"""What SQLite takes for what a state's push does: sqlite_costs.py ROUNDS. A line of JSON for each, as bench/report.hpp prints them.

WAL and synchronous=FULL: as with a push, what has been committed survives the loss of power.
"""
import json
import os
import sqlite3
import sys
import tempfile
import time

from report import median, percentile


def measure(name, rounds, run):
    took = []
    for i in range(rounds):
        begin = time.perf_counter()
        run(i)
        took.append((time.perf_counter() - begin) * 1e6)
    print(json.dumps({"name": f"SQLite: {name}", "unit": "us", "median": median(took), "min": min(took), "max": max(took),
                      "p99": percentile(took, 0.99), "samples": rounds}))


def main(rounds):
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(os.path.join(folder, "state.db"), isolation_level=None)
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("PRAGMA synchronous=FULL")
        base.execute("CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB)")
        base.execute("CREATE TABLE appended (id INTEGER PRIMARY KEY, value BLOB)")
        for name, size in (("1 KB", 1_000), ("1 MB", 1_000_000)):
            value = bytes([1]) * size
            measure(f"push {name}", rounds,
                    lambda _, n=name, v=value: base.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (n, v)))
            measure(f"pull {name}", rounds,
                    lambda _, n=name: base.execute("SELECT value FROM state WHERE key = ?", (n,)).fetchone())
        measure("append 100 bytes", rounds, lambda _: base.execute("INSERT INTO appended (value) VALUES (?)", (bytes(100),)))
        base.close()


main(int(sys.argv[1]))
