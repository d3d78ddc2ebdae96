"""Generators: a tree walked by nested `yield from`, pipelines, send."""


class Tree:
    def __init__(self, left, value, right):
        self.left, self.value, self.right = left, value, right

    def __iter__(self):
        if self.left is not None:
            yield from self.left
        yield self.value
        if self.right is not None:
            yield from self.right


def build(low, high):
    if low >= high:
        return None
    middle = (low + high) // 2
    return Tree(build(low, middle), middle, build(middle + 1, high))


def averager():
    total = count = 0
    value = yield 0
    while True:
        total += value
        count += 1
        value = yield total // count


def bench(n):
    tree = build(0, 500)
    average = averager()
    next(average)
    total = 0
    for _ in range(n):
        for value in (x * 2 for x in tree if x % 3):
            total += average.send(value)
    return total
