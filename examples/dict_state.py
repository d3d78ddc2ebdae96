"""Keeps a pickled dictionary in the state, which a chained call then changes."""
import pickle

from pyfaasm.core import await_call, chain, read_state, read_state_size, write_state

KEY = "dict_state"


def read():
    return pickle.loads(read_state(KEY, read_state_size(KEY)))


def change(data):
    value = read()
    value[data.decode()] = "zeta"
    write_state(KEY, pickle.dumps(value))


def faasm_main():
    write_state(KEY, pickle.dumps({"alpha": "beta", "gamma": "delta"}))
    if await_call(chain(change, b"epsilon")) != 0:
        return 1
    expected = {"alpha": "beta", "gamma": "delta", "epsilon": "zeta"}
    if read() != expected:
        print(f"expected {expected}, got {read()}")
        return 1
