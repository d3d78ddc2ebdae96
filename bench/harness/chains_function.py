"""What the chaining bench uploads: an entry takes a count, makes so many calls and returns the seconds that they took by its own clock."""
import time

from pyfaasm import await_call_output, chain


def double(data):
    return b"%d" % (2 * int(data))


def checked(call, value):
    output = await_call_output(call)
    if output != b"%d" % (2 * value):
        raise ValueError(f"double of {value} came as {output!r}")


def in_turn(data):
    begin = time.perf_counter()
    for i in range(int(data)):
        checked(chain(double, b"%d" % i), i)
    return repr(time.perf_counter() - begin)


def at_once(data):
    begin = time.perf_counter()
    for i, call in enumerate([chain(double, b"%d" % i) for i in range(int(data))]):
        checked(call, i)
    return repr(time.perf_counter() - begin)


def depth(data):
    """Calls itself with one less: the output counts the calls below."""
    left = int(data)
    return b"%d" % (1 + int(await_call_output(chain(depth, b"%d" % (left - 1)))) if left else 0)


def nested(data):
    begin = time.perf_counter()
    below = int(await_call_output(chain(depth, data)))
    took = time.perf_counter() - begin
    if below != int(data):
        raise ValueError(f"{below} calls deep, not {int(data)}")
    return repr(took)
