"""Dense matrices as lists of lists: multiplication and elimination."""


def multiply(a, b):
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def determinant(m):
    m = [row[:] for row in m]
    size, det = len(m), 1.0
    for k in range(size):
        pivot = max(range(k, size), key=lambda r: abs(m[r][k]))
        if pivot != k:
            m[k], m[pivot] = m[pivot], m[k]
            det = -det
        det *= m[k][k]
        for r in range(k + 1, size):
            f = m[r][k] / m[k][k]
            for c in range(k, size):
                m[r][c] -= f * m[k][c]
    return det


def bench(n):
    size = 24
    a = [[(i * 7 + j * 3) % 11 - 4.5 for j in range(size)] for i in range(size)]
    total = 0.0
    for r in range(n):
        b = multiply(a, [[x / (r + 2) for x in row] for row in a])
        for i in range(size):
            b[i][i] += 50.0
        total += determinant(b) ** (1.0 / size)
    return "%.6f" % total
