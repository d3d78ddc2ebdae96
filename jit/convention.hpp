// Where arguments and results of a signature lie.
#pragma once

#include <vector>

#include "jit/ir.hpp"
#include "jit/regs.hpp"

namespace krait::jit {

/// Activation::unwind of machine code. ORDER: the engine knows the first.
enum Unwind : uint32_t {
  UnwindImage,    ///< CodeImage
  UnwindEntry,    ///< rsp of the entry thunk
  UnwindCaught,   ///< Exception, on the way to its landing
  UnwindBottom,   ///< where the outermost frame, with its arguments on the stack, ends
  UnwindCallee,   ///< FuncInstance, on the way from code_of() to the stub
};

/// A register, or bytes above the return address (callee) resp. above rsp (caller).
struct Place {
  PReg reg = NoPReg;
  uint32_t offset = 0;
  Type type = Type::None;
};

/// Stack arguments lie right above the return address, and the callee takes them off; memory results above them stay.
struct Signature {
  std::vector<Place> params, results;
  uint32_t arguments = 0;   ///< bytes of stack arguments, a multiple of 16
  uint32_t results_area = 0;  ///< bytes of memory results; their offsets count from the arguments' start
};
Signature signature_of(const engine::FuncType& type);

}  // namespace krait::jit
