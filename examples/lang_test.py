"""A walk through the language and what the interpreter needs of its host: streams, numbers, weak references, recursion."""
import decimal
import gc
import os
import sys
import weakref
from dataclasses import dataclass


@dataclass
class Point:
    x: int
    y: int


def numbers():
    assert 2**200 % 1_000_003 == pow(2, 200, 1_000_003)
    assert decimal.Decimal("0.1") + decimal.Decimal("0.2") == decimal.Decimal("0.3")
    assert (0.1).hex() == "0x1.999999999999ap-4" and round(2.5) == 2
    assert float("1e308") * 10 == float("inf")


def matching():
    match {"kind": "point", "at": Point(1, 2)}:
        case {"kind": "point", "at": Point(x=1, y=y)}:
            assert y == 2
        case _:
            raise AssertionError("no match")


def references():
    point = Point(3, 4)
    reference = weakref.ref(point)
    assert reference() is point
    point.self = point
    del point
    gc.collect()
    assert reference() is None


def generators():
    def countdown(n):
        try:
            while n:
                n -= (yield n) or 1
        finally:
            log.append("closed")

    log = []
    generator = countdown(5)
    assert next(generator) == 5 and generator.send(2) == 3
    generator.close()
    assert log == ["closed"]


def exceptions():
    def deep(n):
        return deep(n + 1)

    try:
        deep(0)
    except RecursionError as error:
        assert "recursion" in str(error)
    try:
        raise ExceptionGroup("two", [ValueError(1), KeyError(2)])
    except* ValueError as group:
        assert len(group.exceptions) == 1
    except* KeyError:
        pass


def faasm_main():
    for check in (numbers, matching, references, generators, exceptions):
        check()
    print(f"{os.name} {sys.platform} {sys.byteorder}, {sys.getrecursionlimit()} frames, ünïcödé")
    print("on stderr", file=sys.stderr)
