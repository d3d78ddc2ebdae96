/* Faasm's host calls, for wasm functions in C. An address outside of memory, a range past the end, a key that is not there where one
 * is needed, and a chain that is refused, trap.
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
/* 1 for "ALWAYS_ON", else 0. */
FAASM(int32_t, __faasm_conf_flag)(const char* name);

/* State: bytes by key, shared by all functions of the user. Keys are 1 to 300 bytes. What is written is seen by the other calls of this
 * server; a push sends it to the durable tier, a pull takes what was pushed last. total is the value's size, which a shorter value
 * grows to. */

/* The size where length is 0, and 0 where there is no value; else copies up to length bytes and returns the size. */
FAASM(int32_t, __faasm_read_state)(const char* key, void* buffer, int32_t length);
FAASM(void, __faasm_read_state_offset)(const char* key, int32_t total, int32_t offset, void* buffer, int32_t length);
/* A copy in this call's own memory, its own until flag_state_*_dirty or push_state_partial_mask bring it back. */
FAASM(void*, __faasm_read_state_ptr)(const char* key, int32_t total);
FAASM(void*, __faasm_read_state_offset_ptr)(const char* key, int32_t total, int32_t offset, int32_t length);
FAASM(void, __faasm_flag_state_dirty)(const char* key, int32_t total);
FAASM(void, __faasm_flag_state_offset_dirty)(const char* key, int32_t total, int32_t offset, int32_t length);

FAASM(void, __faasm_write_state)(const char* key, const void* data, int32_t length);
FAASM(void, __faasm_write_state_offset)(const char* key, int32_t total, int32_t offset, const void* data, int32_t length);
/* The file's size, or a negative WASI errno. */
FAASM(int32_t, __faasm_write_state_from_file)(const char* key, const char* path);

/* All of it; the ranges that were written; those of them whose bytes in the value of mask_key, of the same size, are not 0. */
FAASM(void, __faasm_push_state)(const char* key);
FAASM(void, __faasm_push_state_partial)(const char* key);
FAASM(void, __faasm_push_state_partial_mask)(const char* key, const char* mask_key);
FAASM(void, __faasm_pull_state)(const char* key, int32_t total);

/* Between the calls of this server; given back at the call's end at the latest. */
FAASM(void, __faasm_lock_state_read)(const char* key);
FAASM(void, __faasm_unlock_state_read)(const char* key);
FAASM(void, __faasm_lock_state_write)(const char* key);
FAASM(void, __faasm_unlock_state_write)(const char* key);

/* The key's log: elements are added at once and for good; the first count of them are read, one behind the other. */
FAASM(void, __faasm_append_state)(const char* key, const void* data, int32_t length);
FAASM(void, __faasm_read_appended_state)(const char* key, void* buffer, int32_t length, int32_t count);
FAASM(void, __faasm_clear_appended_state)(const char* key);

#ifdef __cplusplus
}
#endif
#undef FAASM
#endif
