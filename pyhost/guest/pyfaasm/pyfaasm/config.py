"""The names and sizes that the distributed matrix multiplication of matrix.py agrees on."""
from dataclasses import dataclass

NP_ELEMENT_SIZE = 4  #: bytes of a float32
SUBMATRICES_KEY_A = "mat_a"
SUBMATRICES_KEY_B = "mat_b"
INTERMEDIATE_RESULT_PREFIX = "intermediate"
RESULT_MATRIX_KEY = "result_matrix"
MATRIX_CONF_STATE_KEY = "matrix_state"


@dataclass(frozen=True)
class MatrixConf:
    """A square matrix of `matrix_size` rows, divided in four `n_splits` times: 4**n_splits submatrices."""

    matrix_size: int
    n_splits: int

    @property
    def bytes_per_matrix(self) -> int:
        return self.matrix_size * self.matrix_size * NP_ELEMENT_SIZE

    def get_submatrices_per_row(self, level: int) -> int:
        """How many submatrices a row of them has after `level` splits."""
        return 1 << level

    def get_submatrix_size(self, level: int) -> int:
        """Rows of a submatrix after `level` splits."""
        return self.matrix_size // self.get_submatrices_per_row(level)

    def get_bytes_per_submatrix(self, level: int) -> int:
        """Bytes of a submatrix after `level` splits."""
        return self.get_submatrix_size(level) ** 2 * NP_ELEMENT_SIZE

    def get_intermediate_result_key(self, level: int, row_a: int, col_a: int, row_b: int, col_b: int) -> str:
        """The state key of the product of one submatrix of A and one of B."""
        return f"{INTERMEDIATE_RESULT_PREFIX}_{level}_{row_a}_{col_a}_{row_b}_{col_b}"

    def get_submatrix_key(self, key_prefix: str, level: int, row: int, col: int) -> str:
        """The state key (or file name) of a submatrix; all of one level and row lie behind one prefix."""
        return f"{key_prefix}_{level}_{row}_{col}"
