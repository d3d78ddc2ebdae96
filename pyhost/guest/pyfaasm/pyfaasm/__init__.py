"""What a function calls: its input and output, in both of Faasm's dialects.

    from pyfaasm import get_input, set_output          # the older names
    from pyfaasm import read_input, write_output       # the newer ones

Under plain CPython the package works in local mode: set_local_input_output(True), or PYTHON_LOCAL_OUTPUT=1 in the environment.
"""
from .core import (
    call_info,
    check_python_bindings,
    get_env_bool,
    get_input,
    get_input_len,
    get_output,
    is_local_chaining,
    is_local_output,
    read_input,
    set_env_bool,
    set_local_chaining,
    set_local_input,
    set_local_input_output,
    set_output,
    write_output,
)

__all__ = [
    "call_info",
    "check_python_bindings",
    "get_env_bool",
    "get_input",
    "get_input_len",
    "get_output",
    "is_local_chaining",
    "is_local_output",
    "read_input",
    "set_env_bool",
    "set_local_chaining",
    "set_local_input",
    "set_local_input_output",
    "set_output",
    "write_output",
]
