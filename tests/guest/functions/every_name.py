"""Each public name of pyfaasm, called in a krait function as a user's would call it. The input is b"in\\0put"; the output is b"fine"."""
import asyncio
import importlib.util
import json
import os
import tempfile
import time

import pyfaasm
from pyfaasm import *  # noqa: F403

RESTORED = []
CHECKS = {}


@on_restore
def restored():
    RESTORED.append(time.monotonic())


def check(*names):
    def keep(function):
        CHECKS.update(dict.fromkeys(names, function))
        return function
    return keep


def raises(kind, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except kind as error:
        return error
    raise AssertionError(f"{function}{arguments} raised no {kind.__name__}")


# --- what is chained


def double(data):
    return data * 2


def seven(data):
    return 7


def bad(data):
    print("said")
    raise KeyError(data.decode())


def slow(data):
    time.sleep(3600)


# --- the checks


@check("get_input", "get_input_len", "read_input")
def the_input():
    assert get_input_len() == 6 and get_input() == b"in\0put" and read_input(3) == b"in\0" and read_input(100) == b"in\0put"
    raises(ValueError, read_input, -1)


@check("set_output", "write_output", "get_output")
def the_output():
    for data in "text", b"a\0\xff", bytearray(b"x"), memoryview(b"y"):
        set_output(data)
        write_output(data)
    raises(TypeError, write_output, 5)
    raises(RuntimeError, get_output)


@check("call_info", "check_python_bindings", "on_restore")
def the_call():
    assert call_info() == {"user": "u", "function": "every_name", "entry": "faasm_main"}, call_info()
    check_python_bindings()
    assert len(RESTORED) == 1


@check("get_env_bool", "set_env_bool", "is_local_chaining", "is_local_output", "set_local_chaining", "set_local_input", "set_local_input_output")
def local_mode():
    assert not is_local_chaining() and not is_local_output() and not get_env_bool("NAME")
    set_env_bool("NAME", True)
    assert get_env_bool("NAME") and os.environ["NAME"]
    set_env_bool("NAME", False)
    set_local_input_output(True)
    set_local_chaining(True)
    set_local_input(b"local")
    assert is_local_output() and is_local_chaining() and get_input() == b"local"
    set_output(b"local too")
    assert get_output() == b"local too" and await_call_output(chain(double, b"a")) == b"aa"
    set_local_chaining(False)
    set_local_input_output(False)
    assert get_input() == b"in\0put"


@check("set_emulator_message", "set_emulator_status", "get_emulator_async_response")
def emulator():
    assert set_emulator_message('{"user": "u", "input_data": "emulated"}') == 1 and get_input() == b"emulated"
    set_output("result")
    set_emulator_status(True)
    assert json.loads(get_emulator_async_response()) == {"id": 1, "success": True, "output_data": "result"}
    set_local_input_output(False)


@check("chain", "chain_this_with_input", "chain_name", "await_call", "await_call_output", "await_any", "await_all")
def chains():
    calls = [chain(double, b"a\0"), chain_this_with_input(seven, b""), chain("double", b"b"), chain_name("every_name", b"c", "double"),
             chain_name("u/every_name", b"d", entry="double")]
    assert await_any(calls) in calls and await_all(calls, timeout=60) == [0, 7, 0, 0, 0] and await_call(calls[1], timeout=60) == 7
    assert [await_call_output(call, timeout=60, check=False) for call in calls] == [b"a\0a\0", b"", b"bb", b"cc", b"dd"]
    raises(LookupError, chain_name, "no_such_function")
    raises(PermissionError, chain_name, "somebody_else/every_name")
    raises(ValueError, chain, lambda data: None)


@check("CallError", "CallResult", "get_result", "cancel_call")
def failures():
    call = chain(bad, b"lost")
    error = raises(CallError, await_call, call, check=True)
    assert (error.call_id, error.status, error.error_type, error.error_message) == (call, 1, "KeyError", "'lost'")
    assert "in bad" in error.traceback and error.traceback in str(error) and error.result.stdout == "said\n"
    sleeper = chain(slow)
    raises(TimeoutError, await_call, sleeper, timeout=0.01)
    raises(LookupError, get_result, sleeper)
    cancel_call(sleeper)
    assert await_call(sleeper) != 0
    result = get_result(sleeper)
    assert isinstance(result, CallResult) and result.end == "cancelled" and result.peak_memory > 0 and result.times["queued"] > 0


@check("call", "await_call_async", "await_call_output_async", "await_any_async", "await_all_async")
def for_asyncio():
    async def main():
        calls = [chain(double, b"a"), chain(seven)]
        assert await await_any_async(calls) in calls and await await_all_async(calls) == [0, 7] and await await_call_async(calls[1]) == 7
        return await await_call_output_async(calls[0]) + await call(double, b"b")

    assert asyncio.run(main()) == b"aabb"


@check("write_state", "set_state", "read_state", "get_state", "read_state_size", "get_state_size", "write_state_offset", "set_state_offset",
       "read_state_offset", "get_state_offset", "resize_state", "delete_state", "list_state_keys", "write_state_from_file")
def state():
    write_state("a", b"0123")
    set_state("b", b"")
    assert read_state("a") == get_state("a", 4) == b"0123" and read_state_size("a") == get_state_size("a") == 4
    write_state_offset("a", 6, 4, b"4")
    set_state_offset("a", 6, 5, b"5")
    assert read_state_offset("a", 6, 2, 3) == get_state_offset("a", 6, 2, 3) == b"234"
    resize_state("a", 2)
    assert read_state("a") == b"01" and list_state_keys() == ["a", "b"]
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"of a file")
        file.flush()
        assert write_state_from_file("b", file.name) == 9 and read_state("b") == b"of a file"
    delete_state("b")
    assert list_state_keys("b") == [] and read_state_size("b") == 0


@check("push_state", "push_state_partial", "push_state_partial_mask", "pull_state")
def tiers():
    write_state("t", b"abc")
    push_state("t")
    write_state("t", b"xyz")
    pull_state("t", 3)
    assert read_state("t") == b"abc"
    write_state_offset("t", 3, 1, b"B")
    push_state_partial("t")
    write_state("t", b"???")
    write_state("m", b"\0\0\1")
    push_state_partial_mask("t", "m")
    pull_state("t")
    assert read_state("t") == b"aB?"


@check("append_state", "read_appended_state", "clear_appended_state")
def logs():
    append_state("log", b"one")
    append_state("log", b"\0")
    assert read_appended_state("log") == [b"one", b"\0"] and read_appended_state("log", 1) == [b"one"]
    clear_appended_state("log")
    assert read_appended_state("log") == []


@check("state_lock", "lock_state_read", "lock_state_write", "unlock_state_read", "unlock_state_write")
def locks():
    lock_state_write("lock")
    unlock_state_write("lock")
    lock_state_read("lock", timeout=1)
    unlock_state_read("lock")
    with state_lock("lock", write=True), state_lock("other"):
        raises(OSError, lock_state_read, "lock")
    raises(RuntimeError, unlock_state_write, "lock")


def faasm_main():
    assert CHECKS.keys() == set(pyfaasm.__all__), CHECKS.keys() ^ set(pyfaasm.__all__)
    for function in dict.fromkeys(CHECKS.values()):
        function()
    for name in pyfaasm.__all__:
        assert getattr(pyfaasm.core, name) is getattr(pyfaasm, name)  # where Faasm's functions look for it
    assert pyfaasm.config.MatrixConf(8, 1).get_submatrix_size(1) == 4 and pyfaasm.objects.Dictionary()
    for name in ("matrix", "matrix_data") if not importlib.util.find_spec("numpy") else ():
        assert "needs numpy" in str(raises(ImportError, getattr, pyfaasm, name))
    write_output(b"fine")
