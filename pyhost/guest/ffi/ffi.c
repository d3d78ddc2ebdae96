// Types and calls by the C ABI of wasm32: a struct of one scalar is that scalar, any other goes by a pointer to a copy; a result that is
// none of the four value types is written through a pointer that comes first; a long double is two i64; variadic arguments lie in a
// buffer, each at its own alignment, whose address comes last.
#include "ffi_wasm.h"

#include <alloca.h>
#include <Python.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "../krait_dynlink.h"

#define TYPE(name, of, tag) ffi_type ffi_type_##name = {sizeof(of), _Alignof(of), FFI_TYPE_##tag, NULL}
ffi_type ffi_type_void = {1, 1, FFI_TYPE_VOID, NULL};
TYPE(uint8, uint8_t, UINT8);
TYPE(sint8, int8_t, SINT8);
TYPE(uint16, uint16_t, UINT16);
TYPE(sint16, int16_t, SINT16);
TYPE(uint32, uint32_t, UINT32);
TYPE(sint32, int32_t, SINT32);
TYPE(uint64, uint64_t, UINT64);
TYPE(sint64, int64_t, SINT64);
TYPE(float, float, FLOAT);
TYPE(double, double, DOUBLE);
TYPE(longdouble, long double, LONGDOUBLE);
TYPE(pointer, void*, POINTER);

/// C functions that are called without a declaration all the same: printf(b"%d", 1).
static const struct {
  void* function;
  unsigned fixed;
} Variadic[] = {
    {printf, 1},  {fprintf, 2}, {sprintf, 2}, {snprintf, 3}, {scanf, 1},   {fscanf, 2},   {sscanf, 2},
    {wprintf, 1}, {swprintf, 3}, {PyErr_Format, 2}, {PyUnicode_FromFormat, 1}, {PyBytes_FromFormat, 1}, {Py_BuildValue, 1},
    {PyArg_ParseTuple, 2}, {PyTuple_Pack, 1}, {PyOS_snprintf, 3}, {PyObject_CallFunction, 2}, {PyObject_CallMethod, 3},
    {PyObject_CallFunctionObjArgs, 1}, {PyObject_CallMethodObjArgs, 2}, {PySys_WriteStdout, 1}, {PySys_WriteStderr, 1},
};

static char failure[512];

const ffi_type* ffi_value_type(const ffi_type* type) {
  while (type->type == FFI_TYPE_STRUCT && type->elements && type->elements[0] && !type->elements[1] &&
         type->elements[0]->size == type->size)
    type = type->elements[0];
  return type;
}

int ffi_is_nothing(const ffi_type* type) {
  return type->type == FFI_TYPE_VOID || (type->type == FFI_TYPE_STRUCT && type->size == 0);
}

char ffi_letter(const ffi_type* value) {
  switch (value->type) {
    case FFI_TYPE_FLOAT: return 'f';
    case FFI_TYPE_DOUBLE: return 'd';
    case FFI_TYPE_UINT64:
    case FFI_TYPE_SINT64: return 'l';
    default: return 'i';
  }
}

int ffi_by_pointer(const ffi_type* value) { return value->type == FFI_TYPE_STRUCT || value->type == FFI_TYPE_LONGDOUBLE; }

/// A scalar as an argument or a result: narrow integers are extended as they are signed.
uint64_t ffi_widened(const ffi_type* value, const void* from) {
  switch (value->type) {
    case FFI_TYPE_UINT8: return *(const uint8_t*)from;
    case FFI_TYPE_SINT8: return (uint32_t)*(const int8_t*)from;
    case FFI_TYPE_UINT16: return *(const uint16_t*)from;
    case FFI_TYPE_SINT16: return (uint32_t)*(const int16_t*)from;
    case FFI_TYPE_UINT64:
    case FFI_TYPE_SINT64:
    case FFI_TYPE_DOUBLE: return *(const uint64_t*)from;
    default: return *(const uint32_t*)from;
  }
}

ffi_status ffi_prep_cif_var(ffi_cif* cif, ffi_abi abi, unsigned fixed, unsigned count, ffi_type* result, ffi_type** arguments) {
  *cif = (ffi_cif){result, arguments, count, fixed, fixed < count};
  return abi == FFI_DEFAULT_ABI ? FFI_OK : FFI_BAD_ABI;
}

ffi_status ffi_prep_cif(ffi_cif* cif, ffi_abi abi, unsigned count, ffi_type* result, ffi_type** arguments) {
  return ffi_prep_cif_var(cif, abi, count, count, result, arguments);
}

unsigned ffi_letters(const ffi_cif* cif, unsigned fixed, int variadic, char* letters) {
  const ffi_type* result = ffi_value_type(cif->result);
  unsigned n = 0;
  letters[n++] = ffi_is_nothing(result) || ffi_by_pointer(result) ? 'v' : ffi_letter(result);
  if (!ffi_is_nothing(result) && ffi_by_pointer(result)) letters[n++] = 'i';
  for (unsigned i = 0; i < fixed; i++) {
    const ffi_type* value = ffi_value_type(cif->arguments[i]);
    if (ffi_is_nothing(value)) continue;
    if (value->type == FFI_TYPE_LONGDOUBLE) letters[n++] = 'l', letters[n++] = 'l';
    else letters[n++] = ffi_letter(value);
  }
  if (variadic) letters[n++] = 'i';
  return n;
}

/// Puts variadic arguments into `buffer`, or only counts its bytes where that is NULL. `copies` has the copies of structs.
static size_t lay_out(const ffi_cif* cif, unsigned fixed, void** values, void** copies, char* buffer) {
  size_t at = 0;
  for (unsigned i = fixed; i < cif->count; i++) {
    const ffi_type* value = ffi_value_type(cif->arguments[i]);
    if (ffi_is_nothing(value)) continue;
    const int by_pointer = value->type == FFI_TYPE_STRUCT, extended = value->type == FFI_TYPE_FLOAT;
    const size_t size = by_pointer || value->size < 4 ? 4 : extended ? 8 : value->size;
    at = (at + size - 1) / size * size;
    if (buffer && by_pointer) *(void**)(buffer + at) = copies[i];
    else if (buffer && extended) *(double*)(buffer + at) = *(float*)values[i];
    else if (buffer && size == 16) memcpy(buffer + at, values[i], 16);
    else if (buffer) {
      const uint64_t scalar = ffi_widened(value, values[i]);
      memcpy(buffer + at, &scalar, size);
    }
    at += size;
  }
  return at;
}

static void store_result(const ffi_type* declared, const ffi_type* value, uint64_t slot, void* result) {
  if (declared->type != FFI_TYPE_STRUCT && declared->size < sizeof(ffi_arg)) {
    const uint64_t wide = ffi_widened(value, &slot);
    memcpy(result, &wide, sizeof(ffi_arg));
  } else {
    memcpy(result, &slot, declared->size);
  }
}

/// How many arguments of a call are not variadic; `*variadic` where the function takes any that are.
static unsigned fixed_arguments(const ffi_cif* cif, void (*function)(void), int* variadic) {
  *variadic = cif->is_variadic;
  if (cif->is_variadic) return cif->fixed;
  for (unsigned i = 0; i < sizeof Variadic / sizeof Variadic[0]; i++)
    if (Variadic[i].function == (void*)function && cif->count >= Variadic[i].fixed) {
      *variadic = 1;
      return Variadic[i].fixed;
    }
  return cif->count;
}

void ffi_call(ffi_cif* cif, void (*function)(void), void* result, void** values) {
  int variadic;
  const unsigned fixed = fixed_arguments(cif, function, &variadic);
  char* letters = alloca(2 * cif->count + 3);
  const unsigned length = ffi_letters(cif, fixed, variadic, letters);
  uint64_t* slots = alloca(sizeof(uint64_t) * (length + 1));
  void** copies = alloca(sizeof(void*) * (cif->count + 1));
  for (unsigned i = 0; i < cif->count; i++) {  // callees may write to what they are given
    if (ffi_value_type(cif->arguments[i])->type != FFI_TYPE_STRUCT) continue;
    const size_t size = cif->arguments[i]->size, alignment = 16;
    copies[i] = (void*)(((uintptr_t)alloca(size + alignment) + alignment - 1) / alignment * alignment);
    memcpy(copies[i], values[i], size);
  }
  const ffi_type* type = ffi_value_type(cif->result);
  unsigned n = 0;
  if (!ffi_is_nothing(type) && ffi_by_pointer(type)) slots[n++] = (uintptr_t)result;
  for (unsigned i = 0; i < fixed; i++) {
    const ffi_type* value = ffi_value_type(cif->arguments[i]);
    if (ffi_is_nothing(value)) continue;
    if (value->type == FFI_TYPE_LONGDOUBLE) memcpy(slots + n, values[i], 16), n += 2;
    else if (value->type == FFI_TYPE_STRUCT) slots[n++] = (uintptr_t)copies[i];
    else slots[n++] = ffi_widened(value, values[i]);
  }
  if (variadic) {
    char* buffer = alloca(lay_out(cif, fixed, values, copies, NULL) + 32);
    buffer = (char*)(((uintptr_t)buffer + 15) / 16 * 16);
    lay_out(cif, fixed, values, copies, buffer);
    slots[n++] = (uintptr_t)buffer;
  }
  if (krait_ffi_call((uint32_t)(uintptr_t)function, letters, length, slots) < 0) {
    const int32_t said = krait_message(failure, sizeof failure - 1);
    failure[said < 0 ? 0 : said < (int32_t)sizeof failure ? said : (int32_t)sizeof failure - 1] = 0;
    slots[0] = 0;
  }
  if (!ffi_is_nothing(type) && !ffi_by_pointer(type)) store_result(cif->result, type, slots[0], result);
}

const char* ffi_failure(void) {
  static char said[sizeof failure];
  if (!failure[0]) return NULL;
  memcpy(said, failure, sizeof said);
  failure[0] = 0;
  return said;
}
