/// The ABI of dynamic linking, between the guest and its host: five imports from module "krait", beside those of krait_host.h.
/// A call that returns -1 has been refused; krait_message says why.
///
/// The guest reads a library's file, allocates its data, has it linked, and calls its relocations and constructors; the host compiles,
/// binds symbols and gives places in the function table. So all that code of the library does, the guest itself does.
#pragma once
#include <stdint.h>

#ifndef KRAIT_IMPORT
#define KRAIT_IMPORT(name) __attribute__((import_module("krait"), import_name(#name)))
#endif

struct krait_library_wants {
  uint32_t memory;     ///< bytes, zeroed
  uint32_t alignment;  ///< of them
  uint32_t needed;     ///< libraries to be loaded first
  uint32_t table;      ///< elements of the function table now
};

/// Compiles a library. Its number, or -1.
KRAIT_IMPORT(dl_load)
int32_t krait_dl_load(const void* bytes, uint32_t size, const char* name, uint32_t name_len, struct krait_library_wants* wants);

/// Copies up to `len` bytes of the name of what the library needs. Its full length; -1 where there is no such one.
KRAIT_IMPORT(dl_needed) int32_t krait_dl_needed(int32_t number, uint32_t index, char* ptr, uint32_t len);

/// Links a library, with its data at `memory`. `needed` are numbers; `global`: what is linked later may use its symbols. 0 or -1.
KRAIT_IMPORT(dl_link) int32_t krait_dl_link(int32_t number, void* memory, const int32_t* needed, uint32_t count, int32_t global);

/// The address of a symbol: of data, or a function's place in the table. `number` -1 is the main module, and what is global. 0 or -1.
KRAIT_IMPORT(dl_symbol) int32_t krait_dl_symbol(int32_t number, const char* name, uint32_t name_len, uint32_t* address);

/// The type of the function at a place of the table: a letter for its result, one for each parameter (i, l, f, d: i32, i64, f32, f64; v:
/// no result; ?: anything else). Copies up to `len`; the full length, or -1 where there is no function.
KRAIT_IMPORT(func_type) int32_t krait_func_type(uint32_t place, char* ptr, uint32_t len);

/// Calls it by a type, as letters. `values` are the arguments, 8 bytes each, and take the result. Arguments too many and a result
/// that is not wanted are dropped, one that is missing is 0; any other difference is refused. 0 or -1.
KRAIT_IMPORT(ffi_call) int32_t krait_ffi_call(uint32_t place, const char* type, uint32_t type_len, uint64_t* values);

/// Copies up to `len` bytes of why the last call was refused. Returns its full length.
KRAIT_IMPORT(message) int32_t krait_message(char* ptr, int32_t len);
