"""chains_function.py on python3 alone, a forked process a call: fork_chains.py ENTRY COUNT prints the seconds."""
import os
import sys
import types

sys.setrecursionlimit(100000)  # a child keeps its parent's frames
waiting = {}


def chain(function, data):
    get, put = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(get)
        os.write(put, function(data))
        os._exit(0)
    os.close(put)
    waiting[child] = get
    return child


def await_call_output(child):
    get = waiting.pop(child)
    output = os.read(get, 65536)
    os.close(get)
    os.waitpid(child, 0)
    return output


stand_in = types.ModuleType("pyfaasm")
stand_in.chain, stand_in.await_call_output = chain, await_call_output
sys.modules["pyfaasm"] = stand_in
import chains_function  # noqa: E402

print(getattr(chains_function, sys.argv[1])(sys.argv[2].encode()))
