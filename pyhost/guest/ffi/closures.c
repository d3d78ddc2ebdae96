// Closures: C function pointers of any type that end in one function of the guest's.
//
// A place in the function table needs a wasm function of the right type behind it. So for each type a small side module is written, with
// PoolSize functions that put their arguments into a frame on the C stack and call dispatch() with it, and linked as dlopen does it. Which
// closure a function stands for lies in the module's data; one that is freed gives its function back to the pool of its type.
#include <stdlib.h>
#include <string.h>

#include "../krait_dynlink.h"
#include "ffi_wasm.h"

enum { PoolSize = 32, MostLetters = 2004, MostParameters = 1000 };

struct closure_pool {
  struct closure_pool* next;
  uint32_t first;                        // place of its first function in the table
  uint32_t used;                         // a bit a function
  struct {
    uint32_t dispatch;
    ffi_closure* closures[PoolSize];
  } data;                                // what the module's __memory_base is
  unsigned length;
  char letters[];
};

static struct closure_pool* pools;

// --- a module's bytes ----------------------------------------------------------------------------

struct bytes {
  uint8_t* at;
};

static void byte(struct bytes* out, unsigned value) { *out->at++ = (uint8_t)value; }
static void leb(struct bytes* out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) byte(out, (value & 0x7f) | 0x80);
  byte(out, value);
}
static void text(struct bytes* out, const char* value) {
  const size_t length = strlen(value);
  leb(out, (uint32_t)length);
  memcpy(out->at, value, length);
  out->at += length;
}

/// A length that is not known yet takes four bytes.
static uint8_t* begin(struct bytes* out) {
  out->at += 4;
  return out->at - 4;
}
static void end(struct bytes* out, uint8_t* length) {
  const uint32_t value = (uint32_t)(out->at - length - 4);
  for (int i = 0; i < 4; i++) length[i] = (uint8_t)((value >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
}

static unsigned value_type(char letter) { return letter == 'i' ? 0x7f : letter == 'l' ? 0x7e : letter == 'f' ? 0x7d : 0x7c; }
static unsigned load_op(char letter) { return letter == 'i' ? 0x28 : letter == 'l' ? 0x29 : letter == 'f' ? 0x2a : 0x2b; }
static unsigned store_op(char letter) { return load_op(letter) + 14; }

enum { GlobalGet = 0x23, GlobalSet = 0x24, LocalGet = 0x20, LocalTee = 0x22, I32Const = 0x41, CallIndirect = 0x11, End = 0x0b };
enum { StackPointer = 0, MemoryBase = 1, TableBase = 2 };  // globals

static void op(struct bytes* out, unsigned code, uint32_t operand) { byte(out, code), leb(out, operand); }
static void access(struct bytes* out, unsigned code, uint32_t offset) { byte(out, code), byte(out, 2), leb(out, offset); }
static void constant(struct bytes* out, uint32_t value) {  // positive, so a bit of the sign has to be clear
  byte(out, I32Const);
  for (; value >= 0x40; value >>= 7) byte(out, (value & 0x7f) | 0x80);
  byte(out, value);
}

/// Slot 0 of the frame is the result, the arguments are behind it.
static void function(struct bytes* out, const char* letters, unsigned length, unsigned index) {
  const uint32_t arguments = length - 1, frame = (8 * length + 15) / 16 * 16, local = arguments;
  uint8_t* size = begin(out);
  byte(out, 1), byte(out, 1), byte(out, 0x7f);  // one i32
  op(out, GlobalGet, StackPointer), constant(out, frame), byte(out, 0x6b);
  op(out, LocalTee, local), op(out, GlobalSet, StackPointer);
  for (uint32_t i = 0; i < arguments; i++) {
    op(out, LocalGet, local), op(out, LocalGet, i);
    access(out, store_op(letters[i + 1]), 8 * (i + 1));
  }
  op(out, GlobalGet, MemoryBase), access(out, load_op('i'), 4 + 4 * index);
  op(out, LocalGet, local);
  op(out, GlobalGet, MemoryBase), access(out, load_op('i'), 0);
  op(out, CallIndirect, 1), byte(out, 0);
  if (letters[0] != 'v') op(out, LocalGet, local), access(out, load_op(letters[0]), 0);
  op(out, LocalGet, local), constant(out, frame), byte(out, 0x6a), op(out, GlobalSet, StackPointer);
  byte(out, End);
  end(out, size);
}

static void import(struct bytes* out, const char* name, unsigned kind, unsigned a, unsigned b) {
  text(out, "env"), text(out, name), byte(out, kind), byte(out, a), byte(out, b);
}

static uint8_t* section(struct bytes* out, unsigned id) {
  byte(out, id);
  return begin(out);
}

static void declarations(struct bytes* out, const char* letters, unsigned length) {
  static const uint8_t Header[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  memcpy(out->at, Header, sizeof Header);
  out->at += sizeof Header;
  uint8_t* size = section(out, 0);  // its data has its place already
  text(out, "dylink.0"), byte(out, 1), byte(out, 4), byte(out, 0), byte(out, 0), byte(out, PoolSize), byte(out, 0);
  end(out, size);
  size = section(out, 1);
  byte(out, 2), byte(out, 0x60), leb(out, length - 1);
  for (unsigned i = 1; i < length; i++) byte(out, value_type(letters[i]));
  byte(out, letters[0] != 'v');
  if (letters[0] != 'v') byte(out, value_type(letters[0]));
  byte(out, 0x60), byte(out, 2), byte(out, 0x7f), byte(out, 0x7f), byte(out, 0);
  end(out, size);
  size = section(out, 2);
  byte(out, 5);
  import(out, "memory", 2, 0, 0);
  text(out, "env"), text(out, "__indirect_function_table"), byte(out, 1), byte(out, 0x70), byte(out, 0), byte(out, 0);
  import(out, "__stack_pointer", 3, 0x7f, 1);
  import(out, "__memory_base", 3, 0x7f, 0);
  import(out, "__table_base", 3, 0x7f, 0);
  end(out, size);
}

static size_t write_module(uint8_t* to, const char* letters, unsigned length) {
  struct bytes out = {to};
  declarations(&out, letters, length);
  uint8_t* size = section(&out, 3);
  byte(&out, PoolSize);
  for (unsigned i = 0; i < PoolSize; i++) byte(&out, 0);
  end(&out, size);
  size = section(&out, 7);
  byte(&out, 1), text(&out, "first"), byte(&out, 0), byte(&out, 0);
  end(&out, size);
  size = section(&out, 9);
  byte(&out, 1), byte(&out, 0), op(&out, GlobalGet, TableBase), byte(&out, End), byte(&out, PoolSize);
  for (unsigned i = 0; i < PoolSize; i++) byte(&out, i);
  end(&out, size);
  size = section(&out, 10);
  byte(&out, PoolSize);
  for (unsigned i = 0; i < PoolSize; i++) function(&out, letters, length, i);
  end(&out, size);
  return (size_t)(out.at - to);
}

// --- pools ---------------------------------------------------------------------------------------

/// What every function of a pool calls.
static void dispatch(ffi_closure* closure, uint64_t* frame) {
  const ffi_cif* cif = closure->cif;
  const ffi_type* type = ffi_value_type(cif->result);
  const int nothing = ffi_is_nothing(type), by_pointer = !nothing && ffi_by_pointer(type);
  void** values = __builtin_alloca(sizeof(void*) * (cif->count + 1));
  uint64_t* slot = frame + 1;
  void* result = by_pointer ? (void*)(uintptr_t)*slot++ : frame;
  for (unsigned i = 0; i < cif->count; i++) {
    const ffi_type* value = ffi_value_type(cif->arguments[i]);
    values[i] = slot;
    if (ffi_is_nothing(value)) continue;
    if (value->type == FFI_TYPE_STRUCT) values[i] = (void*)(uintptr_t)*slot;
    slot += value->type == FFI_TYPE_LONGDOUBLE ? 2 : 1;
  }
  if (!by_pointer) *frame = 0;
  closure->function(closure->cif, result, values, closure->data);
  if (!nothing && !by_pointer) *frame = ffi_widened(type, frame);
}

static struct closure_pool* new_pool(const char* letters, unsigned length) {
  enum { Fixed = 512, PerFunction = 96, PerLetter = 12 };
  uint8_t* bytes = malloc(Fixed + length + PoolSize * (PerFunction + PerLetter * length));
  struct closure_pool* pool = malloc(sizeof *pool + length);
  struct krait_library_wants wants;
  int32_t number = -1;
  if (bytes && pool) {
    memset(pool, 0, sizeof *pool);
    memcpy(pool->letters, letters, length);
    pool->length = length;
    pool->data.dispatch = (uint32_t)(uintptr_t)dispatch;
    number = krait_dl_load(bytes, (uint32_t)write_module(bytes, letters, length), "ffi closures", 12, &wants);
  }
  free(bytes);
  if (number < 0 || krait_dl_link(number, &pool->data, NULL, 0, 0) < 0 || krait_dl_symbol(number, "first", 5, &pool->first) < 0) {
    free(pool);
    return NULL;
  }
  pool->next = pools;
  return pools = pool;
}

static struct closure_pool* pool_for(const char* letters, unsigned length) {
  for (struct closure_pool* pool = pools; pool; pool = pool->next)
    if (~pool->used && pool->length == length && memcmp(pool->letters, letters, length) == 0) return pool;
  return new_pool(letters, length);
}

// --- the interface -------------------------------------------------------------------------------

void* ffi_closure_alloc(size_t size, void** code) {
  ffi_closure* closure = calloc(1, size < sizeof *closure ? sizeof *closure : size);
  if (closure) closure->code = code;
  *code = NULL;
  return closure;
}

ffi_status ffi_prep_closure_loc(ffi_closure* closure, ffi_cif* cif, void (*target)(ffi_cif*, void*, void**, void*), void* data, void* code) {
  (void)code;
  if (2 * cif->count + 3 > MostLetters) return FFI_BAD_TYPEDEF;
  char letters[MostLetters];
  const unsigned length = ffi_letters(cif, cif->count, 0, letters);
  struct closure_pool* pool = length > MostParameters + 1 ? NULL : pool_for(letters, length);
  if (!pool) return FFI_BAD_TYPEDEF;
  closure->cif = cif;
  closure->function = target;
  closure->data = data;
  closure->pool = pool;
  closure->index = (unsigned)__builtin_ctz(~pool->used);
  pool->used |= 1u << closure->index;
  pool->data.closures[closure->index] = closure;
  *closure->code = (void*)(uintptr_t)(pool->first + closure->index);
  return FFI_OK;
}

void ffi_closure_free(void* freed) {
  ffi_closure* closure = freed;
  if (closure && closure->pool) {
    closure->pool->used &= ~(1u << closure->index);
    closure->pool->data.closures[closure->index] = NULL;
  }
  free(closure);
}
