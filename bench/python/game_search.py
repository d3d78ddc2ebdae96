"""Connect four by alpha-beta search with a transposition table: integers as bit sets, recursion."""

WIDTH, HEIGHT = 6, 5
STRIDE = HEIGHT + 1
ORDER = sorted(range(WIDTH), key=lambda c: abs(2 * c - WIDTH + 1))


def won(stones):
    for shift in (1, STRIDE - 1, STRIDE, STRIDE + 1):
        pairs = stones & (stones >> shift)
        if pairs & (pairs >> (2 * shift)):
            return True
    return False


class Search:
    def __init__(self):
        self.table = {}
        self.nodes = 0

    def best(self, mine, theirs, heights, depth, alpha, beta):
        self.nodes += 1
        if won(theirs):
            return -100 - depth
        if depth == 0:
            return 0
        key = (mine, theirs, depth)
        known = self.table.get(key)
        if known is not None:
            return known
        start = alpha
        value = -1000
        for column in ORDER:
            h = heights[column]
            if h == HEIGHT:
                continue
            heights[column] = h + 1
            stone = 1 << (column * STRIDE + h)
            value = max(value, -self.best(theirs, mine | stone, heights, depth - 1, -beta, -alpha))
            heights[column] = h
            alpha = max(alpha, value)
            if alpha >= beta:
                break
        if value == -1000:
            value = 0
        if start < value < beta:
            self.table[key] = value
        return value


def bench(n):
    search = Search()
    value = search.best(0, 0, [0] * WIDTH, n, -1000, 1000)
    return value, search.nodes
