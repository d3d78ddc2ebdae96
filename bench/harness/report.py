"""What a run found: tables for people as it goes on, and all of it for JSON and for the report page."""
import json
import math
import os
import platform
import statistics
import subprocess

median = statistics.median


def spread(values):
    """Half the distance between the extremes, as a share of the median."""
    m = median(values)
    return (max(values) - min(values)) / 2 / m if m else 0.0


def geometric_mean(values):
    return math.exp(statistics.fmean(math.log(v) for v in values))


def percentile(values, share):
    """The value that `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1 if share else 0)]


class Report:
    """The sections of a run. `results` is what --json keeps: plain lists, dictionaries, numbers."""

    def __init__(self, about):
        self.results = {**about, "sections": []}
        self.failures = []
        self._section = None

    def begin(self, name, title):
        self._section = {"name": name, "title": title, "tables": [], "plots": [], "left_out": [], "failures": {}, "figures": {}}
        self.results["sections"].append(self._section)
        print(f"\n{title}", flush=True)

    def figures(self, **named):
        """Raw figures, seconds and bytes, by name."""
        self._section["figures"].update(named)

    def left_out(self, what):
        """A part that this machine cannot measure, and why."""
        self._section["left_out"].append(what)
        print(f"  left out: {what}", flush=True)

    def failed(self, name, why):
        """A part that was measured and went wrong: the run's exit status tells of it."""
        self._section["failures"][name] = str(why)
        self.failures.append(f"{self._section['name']}: {name}: {why}")
        print(f"  failed: {name}: {why}", flush=True)

    def broke(self, name, why):
        """A runtime that could not do its part: krait's own failure counts, a peer is left out with its reason."""
        if name.startswith("krait"):
            self.failed(name, why)
        else:
            self.left_out(f"{name}: {why}")

    def table(self, header, rows, note=None):
        """Prints aligned columns, the first to the left, the others to the right, and keeps them."""
        cells = [[str(c) for c in row] for row in [header, *rows]]
        self._section["tables"].append({"header": cells[0], "rows": cells[1:], "note": note})
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        print()
        for n, row in enumerate(cells):
            print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))))
            if n == 0:
                print("  " + "  ".join("-" * w for w in widths))
        print(f"  {note}" if note else "", flush=True)

    def bars(self, title, unit, groups, log=False):
        """A bar a value. groups: {group: {label: value}}; one group needs no name. `unit` names the axis."""
        self._section["plots"].append({"kind": "bars", "title": title, "unit": unit, "groups": groups, "log": log})

    def curve(self, title, x, y, series, log_x=True, log_y=True):
        """Lines over points. series: {name: [[x, y], ...]}; `x` and `y` name the axes."""
        self._section["plots"].append({"kind": "curve", "title": title, "x": x, "y": y, "series": series,
                                       "log_x": log_x, "log_y": log_y})

    def save(self, path):
        with open(path, "w", encoding="utf-8") as out:
            json.dump(self.results, out, indent=1)
            out.write("\n")


def machine():
    cpu = ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        pass
    return {"cpu": cpu, "cores": os.cpu_count(), "kernel": platform.release(), "system": platform.platform(),
            "load": os.getloadavg()[0]}


def commit(root):
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
