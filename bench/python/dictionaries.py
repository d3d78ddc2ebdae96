"""Dictionaries and sets: counting, grouping, merging, deleting, tuple keys."""
from collections import defaultdict


def bench(n):
    total = 0
    for r in range(n):
        counts = {}
        seed = 12345 + r
        for _ in range(3000):
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            key = (seed >> 8) % 500
            counts[key] = counts.get(key, 0) + 1
        groups = defaultdict(list)
        for key, count in counts.items():
            groups[count, key & 1].append(key)
        merged = {**counts, **{str(k): v for k, v in counts.items()}}
        odd = {k for k in counts if k & 1}
        even = set(counts) - odd
        total += len(groups) + len(merged) + len(odd | even) + len(odd & {k + 1 for k in even})
        for key in list(counts)[::2]:
            del counts[key]
        total += sum(counts.values())
    return total
