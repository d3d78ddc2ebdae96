// What machine code calls in C++, and the few stubs in assembly around it.
#pragma once

#include "engine/store.hpp"
#include "jit/ir.hpp"

namespace krait::jit {

/// By Builtin; for Compiler::builtins().
const void* const* builtin_table();
/// Where calls through table entries without code of their own arrive: r11 holds the FuncEntry*, r15 its home.
const void* entry_stub();
/// The landing of engine::CodeRange; info is the TrapKind.
const void* trap_landing();

}  // namespace krait::jit
