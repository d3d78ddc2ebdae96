// Traps are values: a call either returns its results or a Trap. No C++ exception crosses guest code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace krait::engine {

// TRAP(name, text): `text` is the spec's wording where the spec has one.
#define KRAIT_TRAPS(TRAP)                                                     \
  TRAP(Unreachable, "unreachable")                                            \
  TRAP(MemoryOutOfBounds, "out of bounds memory access")                      \
  TRAP(TableOutOfBounds, "out of bounds table access")                        \
  TRAP(UndefinedElement, "undefined element")                                 \
  TRAP(UninitializedElement, "uninitialized element")                         \
  TRAP(IndirectCallTypeMismatch, "indirect call type mismatch")               \
  TRAP(DivideByZero, "integer divide by zero")                                \
  TRAP(IntegerOverflow, "integer overflow")                                   \
  TRAP(InvalidConversion, "invalid conversion to integer")                    \
  TRAP(StackOverflow, "call stack exhausted")                                 \
  TRAP(UnalignedAtomic, "unaligned atomic")                                   \
  TRAP(ExpectedSharedMemory, "expected shared memory")                        \
  TRAP(NullReference, "null reference")                                       \
  TRAP(UncaughtException, "uncaught exception")                               \
  TRAP(Interrupted, "interrupted")                                            \
  TRAP(Host, "host function failed")                                          \
  TRAP(Exit, "exit")

enum class TrapKind : uint8_t {
#define TRAP(name, text) name,
  KRAIT_TRAPS(TRAP)
#undef TRAP
};
/// The spec's text: "integer divide by zero".
const char* text_of(TrapKind kind);

/// One frame of a wasm backtrace, innermost first.
struct TraceFrame {
  std::string module;    ///< the module's name, or ""
  std::string function;  ///< Module::func_name
  uint32_t func_index = 0;
  uint32_t offset = 0;   ///< byte offset of the instruction in the module; 0 where not known
};

struct Exception;

struct Trap {
  TrapKind kind = TrapKind::Host;
  std::string message;   ///< what happened, more exactly than text_of(kind) where there is more to say
  int32_t exit_code = 0; ///< for Exit: the status that the guest left with
  Exception* exception = nullptr;  ///< for UncaughtException: owned by the store
  std::vector<TraceFrame> trace;   ///< at most MaxTraceFrames, the innermost ones
  uint32_t frames_dropped = 0;

  static constexpr size_t MaxTraceFrames = 100;

  static Trap make(TrapKind kind, std::string message = {}) {
    Trap trap;
    trap.kind = kind;
    trap.message = message.empty() ? text_of(kind) : std::move(message);
    return trap;
  }
  static Trap exit(int32_t code) {
    Trap trap = make(TrapKind::Exit);
    trap.exit_code = code;
    return trap;
  }
  /// The message and the backtrace, a frame a line, as a tool prints it.
  [[nodiscard]] std::string to_string() const;
};

template <typename T = void>
using Outcome = Result<T, Trap>;

}  // namespace krait::engine
