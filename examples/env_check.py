"""A function sees PYTHONWASM=1, and of its host's environment nothing."""
import os

EXPECTED = {"PYTHONWASM": "1", "PYTHON_LOCAL_CHAINING": None, "PYTHON_LOCAL_OUTPUT": None, "FOOBAR": None}


def faasm_main():
    wrong = {name: os.environ.get(name) for name, value in EXPECTED.items() if os.environ.get(name) != value}
    if wrong:
        print(f"unexpected environment: {wrong}")
        return 1
