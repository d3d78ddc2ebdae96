"""The suite: its programs with the size of one run, and the loop that times them inside any Python.

    python3 suite.py [--repeat R] [--scale S] [PROGRAM ...]

Prints a JSON line a program: {"program", "n", "seconds": [R times], "check"}. The check value depends only on
the program and its size, so that runs of different engines can be compared.
"""
import importlib
import json
import sys
import time

# Sizes give some 0.1 s on a native CPython of 2024.
SIZES = {
    "automaton": 900, "calls": 900, "decimal_series": 1500, "deltablue": 16, "dictionaries": 120,
    "exceptions": 11000, "fannkuch": 8, "game_search": 10, "generators": 500, "json_roundtrip": 18,
    "mandelbrot": 190, "matrix": 90, "nbody": 20000, "pickle_roundtrip": 400, "pidigits": 1100, "raytrace": 80,
    "regex_match": 320, "richards": 8, "sorting": 22, "spectral_norm": 120, "string_build": 1100,
}


def measure(name, size, repeat):
    bench = importlib.import_module(name).bench
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        check = bench(size)
        seconds.append(time.perf_counter() - start)
    return {"program": name, "n": size, "seconds": seconds, "check": str(check)}


def main(args):
    repeat, scale, names = 3, 1.0, []
    while args:
        word = args.pop(0)
        if word == "--repeat":
            repeat = int(args.pop(0))
        elif word == "--scale":
            scale = float(args.pop(0))
        else:
            names.append(word)
    for name in names or sorted(SIZES):
        size = SIZES[name]
        # These two grow exponentially with their size.
        if name not in ("fannkuch", "game_search"):
            size = max(1, int(size * scale))
        elif scale < 0.5:
            size -= 1 if scale > 0.1 else 2
        print(json.dumps(measure(name, size, repeat)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
