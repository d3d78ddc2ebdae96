"""Tables for people, JSON for machines."""
import json
import math
import os
import platform
import statistics
import subprocess


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the distance between the extremes, as a share of the median."""
    m = median(values)
    return (max(values) - min(values)) / 2 / m if m else 0.0


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def table(header, rows, title=None, note=None):
    """Prints aligned columns: the first to the left, the others to the right."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    if title:
        print(f"\n{title}")
    for n, row in enumerate(cells):
        print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))))
        if n == 0:
            print("  " + "  ".join("-" * w for w in widths))
    if note:
        print("  " + note)


def machine():
    cpu = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        pass
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "system": platform.platform()}


def commit(root):
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def save(path, results):
    with open(path, "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)
        out.write("\n")
