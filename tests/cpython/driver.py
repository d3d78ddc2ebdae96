"""Runs inside the sandbox: CPython's regrtest with the arguments given, its own package `test` being mounted at /cpython/test.

The library is the image that every function has; the tree's tests are all that is added.
"""
import sys

sys.path.insert(0, "/cpython")

from test.libregrtest.main import main  # noqa: E402

main()
