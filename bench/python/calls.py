"""Calls: recursion, closures, defaults, keywords, *args, properties, bound methods."""


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


def adder(step):
    def add(value, *, scale=1):
        return value + step * scale
    return add


def spread(*args, **kwargs):
    return len(args) + kwargs.get("extra", 0)


class Account:
    def __init__(self):
        self._balance = 0

    @property
    def balance(self):
        return self._balance

    @balance.setter
    def balance(self, value):
        self._balance = value

    def deposit(self, amount=1):
        self.balance += amount
        return self


def bench(n):
    total = 0
    add = adder(3)
    for i in range(n):
        total += ackermann(2, 5)
        account = Account()
        deposit = account.deposit
        for k in range(60):
            total += add(k) + add(k, scale=2) + spread(k, i, extra=k) + spread(*(1, 2, 3))
            deposit().deposit(amount=k)
        total += account.balance
    return total
