"""A small ray tracer: operator methods on vectors, float arithmetic, recursion."""


class Vector:
    __slots__ = ("x", "y", "z")

    def __init__(self, x, y, z):
        self.x, self.y, self.z = x, y, z

    def __add__(self, o):
        return Vector(self.x + o.x, self.y + o.y, self.z + o.z)

    def __sub__(self, o):
        return Vector(self.x - o.x, self.y - o.y, self.z - o.z)

    def __mul__(self, k):
        return Vector(self.x * k, self.y * k, self.z * k)

    def dot(self, o):
        return self.x * o.x + self.y * o.y + self.z * o.z

    def unit(self):
        return self * (1.0 / self.dot(self) ** 0.5)


class Sphere:
    def __init__(self, center, radius, colour, mirror):
        self.center, self.radius, self.colour, self.mirror = center, radius, colour, mirror

    def hit(self, origin, ray):
        to = self.center - origin
        b = to.dot(ray)
        disc = b * b - to.dot(to) + self.radius * self.radius
        if disc < 0:
            return None
        t = b - disc ** 0.5
        return t if t > 1e-4 else None

    def normal(self, point):
        return (point - self.center).unit()


class Floor:
    mirror = 0.1

    def hit(self, origin, ray):
        if ray.y > -1e-6:
            return None
        t = -(origin.y + 1.0) / ray.y
        return t if t > 1e-4 else None

    def normal(self, point):
        return Vector(0.0, 1.0, 0.0)


def colour_of(thing, point):
    if isinstance(thing, Floor):
        return 0.9 if (int(point.x // 1) + int(point.z // 1)) & 1 else 0.2
    return thing.colour


def trace(scene, light, origin, ray, depth):
    nearest, at = None, 1e30
    for thing in scene:
        t = thing.hit(origin, ray)
        if t is not None and t < at:
            nearest, at = thing, t
    if nearest is None:
        return 0.3 + 0.4 * max(ray.y, 0.0)
    point = origin + ray * at
    normal = nearest.normal(point)
    to_light = (light - point).unit()
    shade = max(normal.dot(to_light), 0.0)
    if any(thing.hit(point, to_light) is not None for thing in scene):
        shade *= 0.3
    value = colour_of(nearest, point) * (0.2 + 0.8 * shade)
    if nearest.mirror and depth < 3:
        reflected = ray - normal * (2.0 * ray.dot(normal))
        value = value * (1 - nearest.mirror) + nearest.mirror * trace(scene, light, point, reflected, depth + 1)
    return value


def bench(n):
    scene = [Floor(), Sphere(Vector(0, 0, 4), 1.0, 0.8, 0.4), Sphere(Vector(-1.8, -0.3, 3), 0.7, 0.5, 0.2),
             Sphere(Vector(1.6, -0.5, 2.6), 0.5, 0.9, 0.0)]
    light = Vector(4.0, 6.0, -2.0)
    eye = Vector(0.0, 0.2, -1.0)
    total = 0.0
    for y in range(n):
        for x in range(n):
            ray = Vector(x / n - 0.5, 0.5 - y / n, 1.0).unit()
            total += trace(scene, light, eye, ray, 0)
    return "%.6f" % total
