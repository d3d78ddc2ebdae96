import sys

from pyfaasm import set_output


def faasm_main():
    set_output(f"Hello! Running Python version {sys.version}")
