/// The ABI of state: imports from module "krait", beside those of krait_host.h.
///
/// A key is 1 to 300 bytes. Values are shared by all calls of the user in this process at once, and
/// with other processes by push and pull. What returns int32 returns 0 or a WASI errno; what returns
/// int64 a number, or a negative errno: 44 noent: no such key; 68 range: past the end, nothing was
/// read or written; 48 nomem, 51 nospc: the user's share here, or of the store, is used up; 28 inval:
/// not a key; 27 intr: look at the signals and call again; 11 canceled; 73 timedout; 16 deadlk; 63
/// perm.
#pragma once
#include "krait_host.h"

/// The value's size in bytes.
KRAIT_IMPORT(state_size) int64_t krait_state_size(const char* key, int32_t key_len);

/// Copies bytes from `offset` on: all `len` of them with `whole`, else what there is. Returns how
/// many.
KRAIT_IMPORT(state_read)
int64_t krait_state_read(const char* key, int32_t key_len, int64_t offset, void* ptr, int32_t len,
                         int32_t whole);

/// Another value in place of the old one; not pushed.
KRAIT_IMPORT(state_write)
int32_t krait_state_write(const char* key, int32_t key_len, const void* ptr, int32_t len);

/// A range of a value that is then `total` bytes long or longer; not pushed.
KRAIT_IMPORT(state_write_range)
int32_t krait_state_write_range(const char* key, int32_t key_len, int64_t total, int64_t offset,
                                const void* ptr, int32_t len);

/// Cuts, or extends by zeros; not pushed.
KRAIT_IMPORT(state_resize)
int32_t krait_state_resize(const char* key, int32_t key_len, int64_t size);

/// Sends the value, or with `partial` what was changed. Durable on return.
KRAIT_IMPORT(state_push)
int32_t krait_state_push(const char* key, int32_t key_len, int32_t partial);

/// Sends what was changed where the value of `mask`, of the same size, is not 0.
KRAIT_IMPORT(state_push_mask)
int32_t krait_state_push_mask(const char* key, int32_t key_len, const char* mask, int32_t mask_len);

/// Takes the value that was pushed last; what is not pushed is dropped.
KRAIT_IMPORT(state_pull) int32_t krait_state_pull(const char* key, int32_t key_len);

/// Value and log.
KRAIT_IMPORT(state_delete) int32_t krait_state_delete(const char* key, int32_t key_len);

/// Waits for the lock, `timeout_ns` at most (negative: for ever). The call's end gives it back.
KRAIT_IMPORT(state_lock)
int32_t krait_state_lock(const char* key, int32_t key_len, int32_t write, int64_t timeout_ns);
KRAIT_IMPORT(state_unlock)
int32_t krait_state_unlock(const char* key, int32_t key_len, int32_t write);

/// Adds an element to the key's log. Durable on return.
KRAIT_IMPORT(state_append)
int32_t krait_state_append(const char* key, int32_t key_len, const void* ptr, int32_t len);
KRAIT_IMPORT(state_clear_log) int32_t krait_state_clear_log(const char* key, int32_t key_len);

/// Stages elements of the log from number `first` on, `count` at most: each its length as uint32 and
/// its bytes. Returns the bytes staged: 0 at the end of the log.
KRAIT_IMPORT(state_read_log)
int64_t krait_state_read_log(const char* key, int32_t key_len, int64_t first, int64_t count);

/// Stages the keys that start with `prefix`, in the same form.
KRAIT_IMPORT(state_list) int64_t krait_state_list(const char* prefix, int32_t prefix_len);

/// Copies what was staged, `len` bytes of it, and drops it.
KRAIT_IMPORT(state_staged) void krait_state_staged(void* ptr, int32_t len);
