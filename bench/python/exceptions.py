"""Exceptions raised, caught, chained and passed through frames; context managers."""
import contextlib


class Failure(Exception):
    def __init__(self, code):
        super().__init__("failure %d" % code)
        self.code = code


@contextlib.contextmanager
def counted(log):
    try:
        yield log
    finally:
        log.append(1)


def deep(level, code):
    if level == 0:
        raise Failure(code)
    try:
        return deep(level - 1, code)
    finally:
        code += 1


def bench(n):
    log, total = [], 0
    for i in range(n):
        try:
            with counted(log):
                deep(10, i)
        except Failure as failure:
            total += failure.code
        try:
            try:
                {}[i]
            except KeyError as missing:
                raise Failure(i) from missing
        except Failure as failure:
            total += failure.__cause__.args[0]
        try:
            int("x%d" % i)
        except (TypeError, ValueError) as wrong:
            total += len(str(wrong))
    return total + len(log)
