"""Pancake flipping over all permutations: list slices and integer loops."""


def bench(n):
    counts = list(range(1, n + 1))
    perm1 = list(range(n))
    most, checksum, r, sign = 0, 0, n, True
    while True:
        if perm1[0]:
            perm = perm1[:]
            flips = 0
            first = perm[0]
            while first:
                perm[:first + 1] = perm[first::-1]
                flips += 1
                first = perm[0]
            most = max(most, flips)
            checksum += flips if sign else -flips
        if sign:
            perm1[0], perm1[1] = perm1[1], perm1[0]
            sign = False
            continue
        perm1[1], perm1[2] = perm1[2], perm1[1]
        sign = True
        for r in range(2, n):
            if counts[r] != 1:
                counts[r] -= 1
                break
            counts[r] = r + 1
            if r == n - 1:
                return checksum, most
            perm1.insert(r + 1, perm1.pop(0))
