/* Faasm's host calls, for wasm functions in C. An address outside of memory, and a chain that is refused, trap.
 *
 *   clang --target=wasm32-wasi -O2 -o chain.wasm chain.c     (Debian: clang lld wasi-libc libclang-rt-dev-wasm32)
 *   krait upload demo chain chain.wasm
 *   krait invoke demo chain --input 10
 */
#ifndef FAASM_H
#define FAASM_H
#include <stddef.h>
#include <stdint.h>

#define FAASM(result, name) __attribute__((import_module("env"), import_name(#name))) result name
#ifdef __cplusplus
extern "C" {
#endif

/* The input's length where length is 0; else copies up to that many bytes and returns how many. */
FAASM(int32_t, __faasm_read_input)(void* buffer, int32_t length);
/* Sets the output, any bytes; the last one wins. Without it, what goes to stdout is the output. */
FAASM(void, __faasm_write_output)(const void* output, int32_t length);

/* Start a call and return its id: of another function of this user, Python or wasm; of a function in this module, of no parameter or
 * of one int, which is the input as decimal text; of an export of this module by its name. */
FAASM(int32_t, __faasm_chain_name)(const char* function, const void* input, int32_t length);
FAASM(int32_t, __faasm_chain_ptr)(int (*function)(int), const void* input, int32_t length);
FAASM(int32_t, __faasm_chain_py)(const char* entry, const void* input, int32_t length);

/* Wait for a call: its status, 0 for success. The second copies up to length bytes of its output, whose size the third returns. */
FAASM(int32_t, __faasm_await_call)(int32_t id);
FAASM(int32_t, __faasm_await_call_output)(int32_t id, void* buffer, int32_t length);
FAASM(int32_t, __faasm_call_output_size)(int32_t id);

/* The names of the running call, with a NUL; cut to fit. */
FAASM(void, __faasm_get_py_user)(char* buffer, int32_t length);
FAASM(void, __faasm_get_py_func)(char* buffer, int32_t length);
FAASM(void, __faasm_get_py_entry)(char* buffer, int32_t length);

#ifdef __cplusplus
}
#endif
#undef FAASM
#endif
