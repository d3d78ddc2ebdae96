"""Faasm's distributed matrix multiplication: matrices divided in quarters in the state, products by chained calls. Needs numpy."""
from __future__ import annotations

import struct

try:
    import numpy as np
except ImportError as error:
    raise ImportError("pyfaasm.matrix needs numpy, which this Python does not have") from error

from . import core
from .chain import await_all, chain
from .config import MATRIX_CONF_STATE_KEY, RESULT_MATRIX_KEY, SUBMATRICES_KEY_A, SUBMATRICES_KEY_B, MatrixConf
from .matrix_data import do_reconstruct_matrix, do_subdivide_matrix
from .state import push_state, read_state, read_state_size, write_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_CONF = struct.Struct("<2i")
_INPUT = struct.Struct("<5i")  # level, row and column in A, row and column in B


def write_matrix_params_to_state(matrix_size: int, n_splits: int) -> None:
    """Keeps what all calls must agree on: the rows of the square matrices, and how often they are divided in quarters."""
    write_state(MATRIX_CONF_STATE_KEY, _CONF.pack(matrix_size, n_splits))
    push_state(MATRIX_CONF_STATE_KEY)


def load_matrix_conf_from_state() -> MatrixConf:
    """What write_matrix_params_to_state kept. LookupError before it."""
    return MatrixConf(*_CONF.unpack(read_state(MATRIX_CONF_STATE_KEY, _CONF.size)))


def random_matrix(matrix_size: int) -> Matrix:
    """A float32 matrix of shape (matrix_size, matrix_size), elements in [0, 1)."""
    return np.random.default_rng().random((matrix_size, matrix_size), dtype=np.float32)


def _from_bytes(data: bytes, size: int) -> Matrix:
    return np.frombuffer(data, dtype=np.float32).reshape(size, size)


def _read(key: str, size: int) -> Matrix:
    return _from_bytes(read_state(key, read_state_size(key)), size)


def _write(key: str, matrix: Matrix) -> None:
    write_state(key, np.ascontiguousarray(matrix, dtype=np.float32).tobytes())
    push_state(key)


def subdivide_matrix_into_state(conf: MatrixConf, mat: Matrix, key_prefix: str) -> None:
    """Writes the submatrices of the last level, each under a key of its own. `mat`: float32, (matrix_size, matrix_size)."""
    do_subdivide_matrix(conf, mat, lambda part, row, col: _write(conf.get_submatrix_key(key_prefix, conf.n_splits, row, col), part))


def read_input_submatrix(conf: MatrixConf, key_prefix: str, row: int, col: int) -> Matrix:
    """A submatrix of the last level."""
    return _read(conf.get_submatrix_key(key_prefix, conf.n_splits, row, col), conf.get_submatrix_size(conf.n_splits))


def reconstruct_matrix_from_submatrices(conf: MatrixConf, key_prefix: str) -> Matrix:
    """The matrix that subdivide_matrix_into_state took apart."""
    return do_reconstruct_matrix(conf, lambda row, col: read_input_submatrix(conf, key_prefix, row, col))


def distributed_divide_and_conquer(input_bytes: bytes) -> None:
    """A chained call: the product of two submatrices goes to the state. Input: five int32 (level, row A, column A, row B, column B)."""
    level, row_a, col_a, row_b, col_b = _INPUT.unpack(input_bytes)
    conf = load_matrix_conf_from_state()
    if level == conf.n_splits:
        a = read_input_submatrix(conf, SUBMATRICES_KEY_A, row_a, col_a)
        b = read_input_submatrix(conf, SUBMATRICES_KEY_B, row_b, col_b)
        result = a @ b
    else:
        result = chain_multiplications(conf, level, row_a, col_a, row_b, col_b)
    _write(conf.get_intermediate_result_key(level, row_a, col_a, row_b, col_b), result)


def divide_and_conquer() -> None:
    """The product of the two matrices in the state, into the state, under RESULT_MATRIX_KEY."""
    conf = load_matrix_conf_from_state()
    if conf.n_splits == 0:
        result = read_input_submatrix(conf, SUBMATRICES_KEY_A, 0, 0) @ read_input_submatrix(conf, SUBMATRICES_KEY_B, 0, 0)
    else:
        result = chain_multiplications(conf, 0, 0, 0, 0, 0)
    _write(RESULT_MATRIX_KEY, result)


def get_addition_result(conf: MatrixConf, level: int, addition_def: list[tuple[int, int, int, int]]) -> Matrix:
    """The sum of two products in the state, each given by row and column in A and in B."""
    size = conf.get_submatrix_size(level)
    first, second = (_read(conf.get_intermediate_result_key(level, *part), size) for part in addition_def)
    return first + second


def chain_multiplications(conf: MatrixConf, level: int, row_a: int, col_a: int, row_b: int, col_b: int) -> Matrix:
    """The product of two submatrices of `level` by eight chained calls, one for each product of their quarters.

    CallError, with the traceback, where one of them failed. The function's file must import distributed_divide_and_conquer.
    """
    below = level + 1
    a, b = (2 * row_a, 2 * col_a), (2 * row_b, 2 * col_b)
    quarters = {}
    for row in (0, 1):
        for col in (0, 1):
            quarters[row, col] = [(a[0] + row, a[1] + k, b[0] + k, b[1] + col) for k in (0, 1)]
    name: Callable[[bytes], object] | str
    name = distributed_divide_and_conquer if core.is_local_chaining() else distributed_divide_and_conquer.__name__
    calls = [chain(name, _INPUT.pack(below, *part)) for parts in quarters.values() for part in parts]
    await_all(calls, check=True)
    result = {place: get_addition_result(conf, below, parts) for place, parts in quarters.items()}
    return np.block([[result[0, 0], result[0, 1]], [result[1, 0], result[1, 1]]])
