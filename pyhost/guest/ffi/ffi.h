/// libffi's interface as far as CPython's _ctypes uses it, for wasm32: calls go through the host, which knows a function's type;
/// closures are small wasm modules that this library writes and has linked.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
  FFI_TYPE_VOID, FFI_TYPE_INT, FFI_TYPE_FLOAT, FFI_TYPE_DOUBLE, FFI_TYPE_LONGDOUBLE, FFI_TYPE_UINT8, FFI_TYPE_SINT8, FFI_TYPE_UINT16,
  FFI_TYPE_SINT16, FFI_TYPE_UINT32, FFI_TYPE_SINT32, FFI_TYPE_UINT64, FFI_TYPE_SINT64, FFI_TYPE_STRUCT, FFI_TYPE_POINTER
};

/// `elements` of a struct end with NULL.
typedef struct _ffi_type {
  size_t size;
  unsigned short alignment;
  unsigned short type;
  struct _ffi_type** elements;
} ffi_type;

extern ffi_type ffi_type_void, ffi_type_uint8, ffi_type_sint8, ffi_type_uint16, ffi_type_sint16, ffi_type_uint32, ffi_type_sint32,
    ffi_type_uint64, ffi_type_sint64, ffi_type_float, ffi_type_double, ffi_type_longdouble, ffi_type_pointer;
#define ffi_type_uchar ffi_type_uint8
#define ffi_type_schar ffi_type_sint8
#define ffi_type_ushort ffi_type_uint16
#define ffi_type_sshort ffi_type_sint16
#define ffi_type_uint ffi_type_uint32
#define ffi_type_sint ffi_type_sint32
#define ffi_type_ulong ffi_type_uint32
#define ffi_type_slong ffi_type_sint32

typedef enum { FFI_OK = 0, FFI_BAD_TYPEDEF, FFI_BAD_ABI } ffi_status;
typedef enum { FFI_DEFAULT_ABI = 1 } ffi_abi;
typedef uint32_t ffi_arg;
typedef int32_t ffi_sarg;

typedef struct {
  ffi_type* result;
  ffi_type** arguments;
  unsigned count;
  unsigned fixed;   ///< of `count`; the others are variadic
  int is_variadic;
} ffi_cif;

ffi_status ffi_prep_cif(ffi_cif* cif, ffi_abi abi, unsigned count, ffi_type* result, ffi_type** arguments);
ffi_status ffi_prep_cif_var(ffi_cif* cif, ffi_abi abi, unsigned fixed, unsigned count, ffi_type* result, ffi_type** arguments);

/// Where the host refuses the call (the function's type is another one), the result is 0 and ffi_failure() says why.
void ffi_call(ffi_cif* cif, void (*function)(void), void* result, void** values);
/// Why the last ffi_call was refused, once; or NULL.
const char* ffi_failure(void);

typedef struct {
  ffi_cif* cif;
  void (*function)(ffi_cif*, void* result, void** values, void* data);
  void* data;
  void** code;            ///< where its address is to be known
  struct closure_pool* pool;
  unsigned index;         ///< in the pool
} ffi_closure;

/// `*code` is set by ffi_prep_closure_loc only, when the type is known: it must stay where it is until then.
void* ffi_closure_alloc(size_t size, void** code);
ffi_status ffi_prep_closure_loc(ffi_closure* closure, ffi_cif* cif, void (*function)(ffi_cif*, void*, void**, void*), void* data, void* code);
void ffi_closure_free(void* closure);
#define ffi_prep_closure(closure, cif, function, data) ffi_prep_closure_loc(closure, cif, function, data, NULL)
