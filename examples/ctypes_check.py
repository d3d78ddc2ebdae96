"""C functions by ctypes: those of the program itself, and of a shared library that is opened by its path.

Passes as Faasm's check does: by returning. Faasm's own called integers with pointers and integers only; here are doubles, 64 bits,
structs, variadic functions and callbacks too.
"""
import ctypes
import sysconfig
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_double, c_int, c_longlong, c_size_t, create_string_buffer

LIBRARY = f"/lib/python3.13/lib-dynload/_ctypes{sysconfig.get_config_var('EXT_SUFFIX')}"


class Division(Structure):
    _fields_ = [("quotient", c_int), ("remainder", c_int)]


def check_the_program(libc):
    assert libc.strlen(b"four") == 4
    libc.pow.restype, libc.pow.argtypes = c_double, [c_double, c_double]
    assert libc.pow(2, 0.5) == 2**0.5
    libc.llabs.restype, libc.llabs.argtypes = c_longlong, [c_longlong]
    assert libc.llabs(-(1 << 40)) == 1 << 40
    libc.div.restype = Division
    result = libc.div(17, 5)
    assert (result.quotient, result.remainder) == (3, 2)


def check_variadic(libc):
    text = create_string_buffer(40)
    libc.snprintf.argtypes = [c_char_p, c_size_t, c_char_p]
    assert libc.snprintf(text, len(text), b"%d %s %.2f %lld", 1, b"two", c_double(3), c_longlong(1 << 40)) == 24
    assert text.value == b"1 two 3.00 1099511627776"


def check_callback(libc):
    compare = CFUNCTYPE(c_int, POINTER(c_int), POINTER(c_int))(lambda a, b: a[0] - b[0])
    numbers = (c_int * 6)(5, 3, 9, 1, 7, 2)
    libc.qsort(numbers, len(numbers), ctypes.sizeof(c_int), compare)
    assert list(numbers) == [1, 2, 3, 5, 7, 9]


def check_mistakes(libc):
    for mistake, error in ((lambda: libc.strlen(), ctypes.ArgumentError), (lambda: libc.no_such_function, AttributeError),
                           (lambda: ctypes.CDLL("/no/such/library.so"), OSError)):
        try:
            mistake()
        except error:
            continue
        raise AssertionError(f"no {error.__name__}")


def faasm_main():
    libc = ctypes.CDLL(None)
    for check in (check_the_program, check_variadic, check_callback, check_mistakes):
        check(libc)
    library = ctypes.CDLL(LIBRARY)
    assert library.PyInit__ctypes
    value = c_int(1)
    assert byref(value)
    print(f"opened {LIBRARY}")
