"""Square matrices taken apart and put together: the submatrices of the last level, in files or wherever. Needs numpy."""
from __future__ import annotations

import os

try:
    import numpy as np
except ImportError as error:
    raise ImportError("pyfaasm.matrix_data needs numpy, which this Python does not have") from error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .config import MatrixConf

    Matrix = NDArray[np.float32]


def do_subdivide_matrix(conf: MatrixConf, mat: Matrix, write_func: Callable[[Matrix, int, int], object]) -> None:
    """Calls write_func(submatrix, row, column) for each submatrix of the last level. ValueError for a `mat` of another shape."""
    if mat.shape != (conf.matrix_size, conf.matrix_size):
        raise ValueError(f"a matrix of {conf.matrix_size} rows and columns is wanted, this one has the shape {mat.shape}")
    size = conf.get_submatrix_size(conf.n_splits)
    for row in range(conf.get_submatrices_per_row(conf.n_splits)):
        for col in range(conf.get_submatrices_per_row(conf.n_splits)):
            write_func(mat[row * size : (row + 1) * size, col * size : (col + 1) * size], row, col)


def do_reconstruct_matrix(conf: MatrixConf, read_func: Callable[[int, int], Matrix]) -> Matrix:
    """The matrix of the submatrices that read_func(row, column) gives; float32, (matrix_size, matrix_size)."""
    count = conf.get_submatrices_per_row(conf.n_splits)
    return np.block([[read_func(row, col) for col in range(count)] for row in range(count)]).astype(np.float32, copy=False)


def subdivide_matrix_into_files(conf: MatrixConf, mat: Matrix, directory: str, file_prefix: str) -> None:
    """Writes each submatrix into a file of `directory`, named as its state key; float32, row by row."""
    os.makedirs(directory, exist_ok=True)

    def write(part: Matrix, row: int, col: int) -> None:
        with open(os.path.join(directory, conf.get_submatrix_key(file_prefix, conf.n_splits, row, col)), "wb") as file:
            file.write(np.ascontiguousarray(part, dtype=np.float32).tobytes())

    do_subdivide_matrix(conf, mat, write)


def reconstruct_matrix_from_files(conf: MatrixConf, directory: str, file_prefix: str) -> Matrix:
    """The matrix that subdivide_matrix_into_files took apart."""
    size = conf.get_submatrix_size(conf.n_splits)

    def read(row: int, col: int) -> Matrix:
        with open(os.path.join(directory, conf.get_submatrix_key(file_prefix, conf.n_splits, row, col)), "rb") as file:
            return np.frombuffer(file.read(), dtype=np.float32).reshape(size, size)

    return do_reconstruct_matrix(conf, read)
