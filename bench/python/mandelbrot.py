"""The Mandelbrot set with complex numbers."""


def bench(n):
    total = 0
    for row in range(n):
        for column in range(n):
            c = complex(3.0 * column / n - 2.2, 2.4 * row / n - 1.2)
            z = 0j
            for k in range(50):
                z = z * z + c
                if abs(z) > 2.0:
                    break
            total += k
    return total
