"""Runs inside the sandbox: CPython's regrtest with the arguments given, its own package `test` being mounted at /cpython/test.

The library is the image that every function has; the tree's tests are all that is added.
"""
import sys

sys.path.insert(0, "/cpython")

import test.support  # noqa: E402
from test.libregrtest.main import main  # noqa: E402

if "--sockets" in sys.argv:  # the sandbox is allowed loopback
    sys.argv.remove("--sockets")
    test.support.has_socket_support = True
elif any("test_asyncio" in argument for argument in sys.argv):
    # The package asks for sockets as a whole, on this platform; most of its modules need none.
    test.support.requires_working_socket = lambda *, module=False: None if module else (lambda item: item)

main()
