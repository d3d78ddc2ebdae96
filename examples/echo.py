"""The input is the output, byte for byte; without an input there is no output."""
from pyfaasm import get_input_len, read_input, write_output


def faasm_main():
    size = get_input_len()
    if size == 0:
        print("echo: no input")
        return
    write_output(read_input(size))
