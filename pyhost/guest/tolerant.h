/// Calls of functions that an extension gave Python with another number of parameters than Python calls them with: other platforms get
/// away with it, wasm traps. Included in front of those of CPython's sources that make such calls (recipe/cpython.py), it gives another
/// meaning to the macros by which they do.
///
/// What lies in the main module's own part of the function table is called straight on, at the cost of a comparison.
#pragma once
#include <stdint.h>

/// Places of the table below it are of the main module and right. All are, until a library is loaded (dlfcn.c).
__attribute__((weak)) uintptr_t krait_own_functions = UINTPTR_MAX;
/// Calls a function with as many of the three as it takes.
__attribute__((weak)) void* (*krait_tolerant_call)(void* function, void* a, void* b, void* c) = 0;

#define KRAIT_IS_OWN(function) __builtin_expect((uintptr_t)(function) < krait_own_functions, 1)
#define KRAIT_CALL(function, a, b, c) krait_tolerant_call((void*)(function), (void*)(a), (void*)(b), (void*)(c))

#ifdef Py_BUILD_CORE
#include <Python.h>
#include "pycore_emscripten_trampoline.h"
#include "pycore_object.h"
#undef _PyCFunction_TrampolineCall
#undef _PyCFunctionWithKeywords_TrampolineCall
#undef descr_get_trampoline_call
#undef descr_set_trampoline_call
#define _PyCFunction_TrampolineCall(meth, self, args) \
  (KRAIT_IS_OWN(meth) ? (meth)((self), (args)) : (PyObject*)KRAIT_CALL(meth, self, args, 0))
#define _PyCFunctionWithKeywords_TrampolineCall(meth, self, args, kw) \
  (KRAIT_IS_OWN(meth) ? (meth)((self), (args), (kw)) : (PyObject*)KRAIT_CALL(meth, self, args, kw))
#define descr_get_trampoline_call(get, obj, closure) \
  (KRAIT_IS_OWN(get) ? (get)((obj), (closure)) : (PyObject*)KRAIT_CALL(get, obj, closure, 0))
#define descr_set_trampoline_call(set, obj, value, closure) \
  (KRAIT_IS_OWN(set) ? (set)((obj), (value), (closure)) : (int)(intptr_t)KRAIT_CALL(set, obj, value, closure))
#endif
