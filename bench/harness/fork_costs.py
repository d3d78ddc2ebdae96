"""What a call that waits holds where each is a forked python3: fork_costs.py COUNT. A line of JSON, as bench/report.hpp prints them.

A child's own memory: its private pages and its page tables. What the kernel keeps for a process besides is not in it.
"""
import json
import os
import re
import sys

from report import median, percentile


def own_kib(pid):
    """As bench/pyhost/parked_bench counts krait's."""
    def sum_of(file, pattern):
        with open(f"/proc/{pid}/{file}", encoding="ascii") as lines:
            return sum(int(kib) for kib in re.findall(pattern, lines.read(), re.MULTILINE))
    return sum_of("smaps_rollup", r"^Private_\w+: *(\d+)") + sum_of("status", r"^VmPTE:\s*(\d+)")


def main(count):
    ready, tell = os.pipe()
    waits, end = os.pipe()
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            os.close(end)
            os.write(tell, b".")
            os.read(waits, 1)
            os._exit(0)
        children.append(child)
    told = 0
    while told < count:
        told += len(os.read(ready, count))
    kib = [own_kib(child) for child in children]
    os.close(end)
    for child in children:
        os.waitpid(child, 0)
    print(json.dumps({"name": "python3, a fork each: memory each", "unit": "KiB", "median": median(kib), "min": min(kib), "max": max(kib),
                      "p99": percentile(kib, 0.99), "samples": count}))


main(int(sys.argv[1]))
