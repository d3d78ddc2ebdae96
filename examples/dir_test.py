"""Lists the folder that the input names, / without one: the output is a name a line, sorted."""
import os

from pyfaasm import get_input, set_output


def faasm_main():
    path = get_input().decode() or "/"
    names = sorted(os.listdir(path))
    print(f"{len(names)} entries in {path}, seen from {os.getcwd()}")
    set_output("\n".join(names))
