"""Five bodies under gravity: floats, attribute-free lists, a hot inner loop."""

SUN = 39.47841760435743
YEAR = 365.24


def bodies():
    return [
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], SUN),
        ([4.84, -1.16, -0.10], [0.00166 * YEAR, 0.00769 * YEAR, -0.0000690 * YEAR], 0.000954 * SUN),
        ([8.34, 4.12, -0.4], [-0.00276 * YEAR, 0.00499 * YEAR, 0.000023 * YEAR], 0.000285 * SUN),
        ([12.89, -15.11, -0.22], [0.00296 * YEAR, 0.00237 * YEAR, -0.0000296 * YEAR], 0.0000436 * SUN),
        ([15.37, -25.9, 0.179], [0.00268 * YEAR, 0.00162 * YEAR, -0.0000951 * YEAR], 0.0000515 * SUN),
    ]


def advance(system, pairs, steps, dt):
    for _ in range(steps):
        for (p1, v1, m1), (p2, v2, m2) in pairs:
            dx = p1[0] - p2[0]
            dy = p1[1] - p2[1]
            dz = p1[2] - p2[2]
            mag = dt * (dx * dx + dy * dy + dz * dz) ** -1.5
            a, b = m1 * mag, m2 * mag
            v1[0] -= dx * b
            v1[1] -= dy * b
            v1[2] -= dz * b
            v2[0] += dx * a
            v2[1] += dy * a
            v2[2] += dz * a
        for p, v, _ in system:
            p[0] += dt * v[0]
            p[1] += dt * v[1]
            p[2] += dt * v[2]


def bench(n):
    system = bodies()
    pairs = [(a, b) for i, a in enumerate(system) for b in system[i + 1:]]
    advance(system, pairs, n, 0.01)
    return "%.9f" % sum(sum(p) for p, _, _ in system)
