/// How types look at the level of wasm; shared by calls and closures.
#pragma once
#include "ffi.h"

/// The scalar that a struct of one scalar is, else the type itself.
const ffi_type* ffi_value_type(const ffi_type* type);
/// void or an empty struct. The others here take what ffi_value_type gave.
int ffi_is_nothing(const ffi_type* type);
char ffi_letter(const ffi_type* value);
/// As a result: written through a pointer.
int ffi_by_pointer(const ffi_type* value);
uint64_t ffi_widened(const ffi_type* value, const void* from);
/// The function's type as krait_func_type has it; at most 2 * count + 3 letters. Their number.
unsigned ffi_letters(const ffi_cif* cif, unsigned fixed, int variadic, char* letters);
