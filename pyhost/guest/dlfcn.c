// dlopen and its like over the host's linker. A library stays for good: dlclose only says yes.
//
// What is loaded is written down in the guest's own memory, by path, so a snapshot or a reset of it is one of this too.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "krait_dynlink.h"
#include "tolerant.h"

struct library {
  struct library* next;
  int32_t number;
  char path[];
};

enum { FirstHandle = 2, MostNesting = 16, MostPath = 1024, MostNeeded = 256 };

static struct library* libraries;
static char error_text[1024];
static const char* error;
static int nesting;

static void* fail(const char* path, const char* why) {
  snprintf(error_text, sizeof error_text, "%s%s%s", path, *path ? ": " : "", why);
  error = error_text;
  return NULL;
}

static void* refused(const char* path) {
  char why[768];
  const int32_t length = krait_message(why, sizeof why - 1);
  why[length < 0 ? 0 : length < (int32_t)sizeof why ? length : (int32_t)sizeof why - 1] = 0;
  return fail(path, why);
}

/// The whole file, from malloc; NULL with the error set.
static void* read_all(const char* path, size_t* size) {
  const int fd = open(path, O_RDONLY);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
    if (fd >= 0) close(fd);
    return fail(path, "cannot open shared object file: No such file or directory");
  }
  char* bytes = malloc((size_t)info.st_size + 1);
  size_t at = 0;
  for (ssize_t got = 1; bytes && at < (size_t)info.st_size && got > 0; at += (size_t)(got > 0 ? got : 0))
    got = read(fd, bytes + at, (size_t)info.st_size - at);
  close(fd);
  *size = at;
  return bytes ? bytes : fail(path, "no memory for it");
}

// --- functions with another number of parameters (tolerant.h) ------------------------------------

enum { KnownPlaces = 1 << 16 };

/// Parameters of a function whose values are all i32, or 0xff.
static unsigned parameters(uint32_t place) {
  char type[8];
  const int32_t length = krait_func_type(place, type, sizeof type);
  for (int32_t i = 1; i < length && i < (int32_t)sizeof type; i++)
    if (type[i] != 'i') return 0xff;
  return length < 1 || length > 4 || type[0] != 'i' ? 0xff : (unsigned)length - 1;
}

static void* tolerant_call(void* function, void* a, void* b, void* c) {
  static uint8_t known[KnownPlaces];  // parameters, plus one
  const uintptr_t place = (uintptr_t)function;
  unsigned count = place < KnownPlaces ? known[place] - 1u : ~0u;
  if (count == ~0u) count = parameters((uint32_t)place);
  if (place < KnownPlaces && count != 0xff) known[place] = (uint8_t)(count + 1);
  switch (count) {
    case 0: return ((void* (*)(void))function)();
    case 1: return ((void* (*)(void*))function)(a);
    case 2: return ((void* (*)(void*, void*))function)(a, b);
    default: return ((void* (*)(void*, void*, void*))function)(a, b, c);  // or the trap that it deserves
  }
}

// --- loading -------------------------------------------------------------------------------------

static int call_if_there(int32_t number, const char* name) {
  uint32_t address;
  if (krait_dl_symbol(number, name, (uint32_t)strlen(name), &address) < 0) return 0;
  ((void (*)(void))address)();
  return 1;
}

/// Loads what library `number` needs, by names without a folder: from the folder of `path`, then of LD_LIBRARY_PATH.
static int load_needed(int32_t number, const char* path, uint32_t count, int32_t* numbers) {
  const char* slash = strrchr(path, '/');
  const int folder = slash ? (int)(slash - path) + 1 : 0;
  const char* extra = getenv("LD_LIBRARY_PATH");
  for (uint32_t i = 0; i < count; i++) {
    char name[256], beside[MostPath];
    const int32_t length = krait_dl_needed(number, i, name, sizeof name - 1);
    if (length < 0 || length >= (int32_t)sizeof name) return fail(path, "a library that it needs has too long a name") != NULL;
    name[length] = 0;
    snprintf(beside, sizeof beside, "%.*s%s", folder, path, name);
    void* handle = dlopen(beside, RTLD_NOW);
    if (!handle && extra) {
      snprintf(beside, sizeof beside, "%s/%s", extra, name);
      handle = dlopen(beside, RTLD_NOW);
    }
    if (!handle) return 0;
    numbers[i] = (int32_t)(uintptr_t)handle - FirstHandle;
  }
  return 1;
}

static void* link_library(const char* path, int32_t number, const struct krait_library_wants* wants, int mode) {
  static int32_t needed[MostNesting][MostNeeded];
  if (nesting >= MostNesting || wants->needed > MostNeeded) return fail(path, "it needs too many libraries");
  int32_t* numbers = needed[nesting++];
  const int ready = load_needed(number, path, wants->needed, numbers);
  nesting--;
  if (!ready) return NULL;
  const size_t alignment = wants->alignment < 16 ? 16 : wants->alignment;
  const size_t size = (wants->memory + alignment - 1) / alignment * alignment;
  void* memory = size ? aligned_alloc(alignment, size) : NULL;
  struct library* library = malloc(sizeof *library + strlen(path) + 1);
  if (!library || (size && !memory)) {
    free(memory), free(library);
    return fail(path, "no memory for it");
  }
  if (size) memset(memory, 0, size);
  if (krait_dl_link(number, memory, numbers, wants->needed, (mode & RTLD_GLOBAL) != 0) < 0) {
    free(memory), free(library);
    return refused(path);
  }
  library->number = number;
  library->next = libraries;
  libraries = library;
  strcpy(library->path, path);
  call_if_there(number, "__wasm_apply_data_relocs");
  call_if_there(number, "__wasm_call_ctors");
  return (void*)(uintptr_t)(number + FirstHandle);
}

void* dlopen(const char* path, int mode) {
  if (!path) return (void*)1;
  for (struct library* known = libraries; known; known = known->next)
    if (strcmp(known->path, path) == 0) return (void*)(uintptr_t)(known->number + FirstHandle);
  size_t size;
  void* bytes = read_all(path, &size);
  if (!bytes) return NULL;
  struct krait_library_wants wants;
  const int32_t number = krait_dl_load(bytes, (uint32_t)size, path, (uint32_t)strlen(path), &wants);
  free(bytes);
  if (!krait_tolerant_call && number >= 0) {
    krait_tolerant_call = tolerant_call;
    krait_own_functions = wants.table;
  }
  return number < 0 ? refused(path) : link_library(path, number, &wants, mode);
}

void* dlsym(void* handle, const char* name) {
  const intptr_t number = (intptr_t)handle;
  uint32_t address;
  if (krait_dl_symbol(number < FirstHandle ? -1 : (int32_t)number - FirstHandle, name, (uint32_t)strlen(name), &address) < 0)
    return refused("");
  return (void*)(uintptr_t)address;
}

int dlclose(void* handle) { return 0; }

char* dlerror(void) {
  char* text = (char*)error;
  error = NULL;
  return text;
}
