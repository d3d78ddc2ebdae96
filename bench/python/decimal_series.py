"""Decimal arithmetic: e and a square root to 60 digits, money rounding."""
from decimal import ROUND_HALF_EVEN, Decimal, getcontext


def bench(n):
    getcontext().prec = 60
    cent = Decimal("0.01")
    total = Decimal(0)
    e = root = Decimal(0)
    for i in range(n):
        e, term = Decimal(1), Decimal(1)
        for k in range(1, 45):
            term /= k
            e += term
        root = Decimal(2 + i % 3)
        x = root / 2
        for _ in range(9):
            x = (x + root / x) / 2
        for k in range(40):
            price = Decimal(k * 137 + i) / 100
            total += (price * Decimal("1.0725")).quantize(cent, rounding=ROUND_HALF_EVEN)
        root = x
    return "%s %s %s" % (e, root, total)
