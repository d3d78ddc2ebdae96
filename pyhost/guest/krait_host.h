/// The ABI between the reactor and its host. Everything is wasm32: pointers and lengths are i32,
/// bytes are in linear memory.
///
/// Beside these the reactor imports wasi_snapshot_preview1 and exports `memory`, `_initialize`
/// (call it first, once), and `malloc(i32) -> i32` and `free(i32)` for the strings that the host
/// passes in. The host keeps what it allocates; no export takes ownership, and none keeps a pointer
/// after it returns. Strings are UTF-8, a pointer and a length, no NUL needed.
#pragma once
#include <stdint.h>

#define KRAIT_ABI 2

#define KRAIT_IMPORT(name) __attribute__((import_module("krait"), import_name(#name)))
#define KRAIT_EXPORT(name) __attribute__((export_name(#name)))

// --- imports, from module "krait" ----------------------------------------------------------------

/// The length of the call's input in bytes; 0 where there is none.
KRAIT_IMPORT(input_size) int32_t krait_input_size(void);

/// Copies up to `len` bytes of the input, from `offset` on. Returns how many: 0 at and after the
/// end.
KRAIT_IMPORT(input_read) int32_t krait_input_read(void* ptr, int32_t len, int32_t offset);

/// Sets the call's output; the last one wins. Returns 0 or a WASI errno (22, fbig: larger than the
/// call may return).
KRAIT_IMPORT(output_write) int32_t krait_output_write(const void* ptr, int32_t len);

enum krait_info { KRAIT_INFO_USER = 0, KRAIT_INFO_FUNCTION = 1, KRAIT_INFO_ENTRY = 2 };

/// Copies up to `len` bytes of one of the call's names. Returns the name's full length; 0 for a
/// kind that is not known.
KRAIT_IMPORT(call_info) int32_t krait_call_info(int32_t kind, char* ptr, int32_t len);

/// Reports the exception that ends the call, beside what is printed: its type's name, its text, its
/// traceback as printed. Texts are cut at 1 MiB.
KRAIT_IMPORT(raised)
void krait_raised(const char* type, int32_t type_len, const char* message, int32_t message_len,
                  const char* traceback, int32_t traceback_len);

/// Starts a call of `entry` of the function `target` ("FUNC" or "USER/FUNC"; empty: the caller's
/// own) and returns its id, > 0. A negative WASI errno where that is refused (44, noent: no such
/// function; 2, access: another user's; 6, again: too many calls); krait_message says why.
KRAIT_IMPORT(chain)
int32_t krait_chain(const char* target, int32_t target_len, const char* entry, int32_t entry_len,
                    const void* input, int32_t input_len);

/// Copies up to `len` bytes of why the last krait_chain was refused. Returns its full length.
KRAIT_IMPORT(message) int32_t krait_message(char* ptr, int32_t len);

/// Waits until one of `count` calls has ended, or `timeout_ns` are over (negative: for ever).
/// Returns the index of the first that has; -1: the time is over; -2: look at the signals and call
/// again; -3 - i: ids[i] is no call that this one, or one that it comes from, has chained.
KRAIT_IMPORT(wait) int32_t krait_wait(const int32_t* ids, int32_t count, int64_t timeout_ns);

enum krait_result_field {
  KRAIT_RESULT_STATUS = 0,  // two int32: the status, and how it ended (enum CallEnd of the host)
  KRAIT_RESULT_OUTPUT = 1,
  KRAIT_RESULT_TYPE = 2,  // of the exception; empty where there was none
  KRAIT_RESULT_MESSAGE = 3,  // the exception's, or the host's where the call was trapped or failed
  KRAIT_RESULT_TRACEBACK = 4,
  KRAIT_RESULT_STDOUT = 5,
  KRAIT_RESULT_STDERR = 6,
  KRAIT_RESULT_COST = 7  // six int64: nanoseconds queued, start, run, reset, cpu; peak memory, bytes
};

/// Copies up to `len` bytes of a part of an ended call's result. Returns its full length; -1 where
/// the call has not ended, or its result is gone.
KRAIT_IMPORT(result) int32_t krait_result(int32_t id, int32_t field, void* ptr, int32_t len);

/// Cancels a call that krait_wait could wait for, and those that it chained. 0, or -1.
KRAIT_IMPORT(cancel) int32_t krait_cancel(int32_t id);

// --- exports -------------------------------------------------------------------------------------
//
// A status is what a process of python3 would exit with: 0 is success. Tracebacks are on fd 2 when
// an export returns, and Python's stdout and stderr are flushed. Python may also end an instance
// with proc_exit (os._exit, and krait_run on SystemExit): the code is the status, and the instance
// is spent.

/// KRAIT_ABI of this reactor.
KRAIT_EXPORT(krait_abi) int32_t krait_abi(void);

/// Initialises CPython, once. 0, or 1 with a line on fd 2. Reads the stdlib image at
/// /lib/python313.zip.
KRAIT_EXPORT(krait_init) int32_t krait_init(void);

/// Compiles `source`, the text of `filename`, and drops the result. 0, or 1 with the SyntaxError's
/// display on fd 2.
KRAIT_EXPORT(krait_check)
int32_t krait_check(const char* source, int32_t source_len, const char* filename,
                    int32_t filename_len);

/// Runs `source` as the body of a fresh module named `name`, the one that krait_call calls into.
/// Returns a status. The file need not exist: tracebacks show the lines of `source`. A `name` that
/// is a module's already is prefixed by "function_".
KRAIT_EXPORT(krait_load)
int32_t krait_load(const char* name, int32_t name_len, const char* source, int32_t source_len,
                   const char* filename, int32_t filename_len);

/// Calls the loaded module's `entry` ("faasm_main" where the length is 0) and returns the status.
/// The input is passed, as bytes, to an entry that takes a positional argument; to faasm_main only
/// where it demands one. The result: None is 0, an int is the status, bytes and str set the output
/// where the call has not set one.
KRAIT_EXPORT(krait_call) int32_t krait_call(const char* entry, int32_t entry_len);

/// Runs a program as `python3 ARGV...` does: `argv` holds the arguments, each ended by a NUL: a
/// file, folder or zip file, or `-` for stdin, or `-c` and a command, or `-m` and a module; then
/// the program's own. With a non-empty `entry` the file is loaded as a module and that function is
/// called as by krait_call. Returns the status. Python is finalised: the instance is spent.
KRAIT_EXPORT(krait_run)
int32_t krait_run(const char* argv, int32_t argv_len, const char* entry, int32_t entry_len);

/// 1 if the last krait_check, krait_load or krait_call ended by an exception other than SystemExit.
KRAIT_EXPORT(krait_exception) int32_t krait_exception(void);

/// Imports what the display of an exception needs, so that a snapshot has it. 0, or 1 as krait_init.
KRAIT_EXPORT(krait_warm) int32_t krait_warm(void);

/// Makes Python raise TimeoutError at its next look at its signals. `kind` 0: the wall time of `ms`
/// is over, 1: the CPU time. May be called at any time, also while another export runs.
KRAIT_EXPORT(krait_alarm) void krait_alarm(int32_t kind, int32_t ms);

/// To be called after a restore from a snapshot, before anything else: takes up the environment,
/// where it is another than the snapshot's, and reseeds `random`; the next krait_call first runs what
/// pyfaasm.on_restore was given. The preopens must be the snapshot's. Returns 0, or 1 with a traceback
/// on fd 2.
KRAIT_EXPORT(krait_reseed) int32_t krait_reseed(void);
