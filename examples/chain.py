"""Chains two functions of this file and waits for them; each checks that it got its own input."""
from pyfaasm.core import await_call, chain


def first(data):
    if data != b"1234":
        print(f"unexpected input: {data}")
        exit(1)


def second(data):
    if data != b"5678":
        print(f"unexpected input: {data}")
        exit(1)


def faasm_main():
    calls = [chain(first, b"1234"), chain(second, b"5678")]
    failed = sum(await_call(call) != 0 for call in calls)
    if failed:
        print(f"{failed} of {len(calls)} chained calls failed")
        exit(1)
