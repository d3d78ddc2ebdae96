"""Sorting: the built-in sort with keys, a merge sort and a heap written in Python."""
import heapq


def merge_sort(items):
    if len(items) < 2:
        return items
    middle = len(items) // 2
    left, right = merge_sort(items[:middle]), merge_sort(items[middle:])
    out, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            out.append(left[i])
            i += 1
        else:
            out.append(right[j])
            j += 1
    return out + left[i:] + right[j:]


def bench(n):
    total = 0
    for r in range(n):
        seed, items = r + 1, []
        for _ in range(1500):
            seed = (seed * 69069 + 1) & 0xFFFFFFFF
            items.append(seed >> 4)
        ordered = sorted(items)
        assert merge_sort(items) == ordered
        by_text = sorted(items, key=str)
        pairs = sorted(((x % 100, -x) for x in items), reverse=True)
        heap = []
        for x in items:
            heapq.heappush(heap, x)
        total += ordered[7] + by_text[9] + pairs[11][1] + sum(heapq.heappop(heap) for _ in range(50))
    return total
