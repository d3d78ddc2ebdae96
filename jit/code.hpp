// What compiling one function gives.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/trap.hpp"

namespace krait::jit {

/// A place in code that belongs to a place in wasm: the return address of a call, or an instruction that may fault.
struct Site {
  uint32_t offset;                   ///< of the code
  uint32_t wasm_and_kind;            ///< wasm byte offset, kind in the upper 5 bits
  static constexpr uint32_t Call = 31;
  static constexpr uint32_t WasmBits = 27, WasmMask = (1u << WasmBits) - 1;
  [[nodiscard]] uint32_t wasm_pc() const { return wasm_and_kind & WasmMask; }
  [[nodiscard]] uint32_t kind() const { return wasm_and_kind >> WasmBits; }
};

/// Behind the call that returns to `site`, exceptions of `tag` (engine::NoIndex: all) go on at `target`. Of one site, those
/// that come first are tried first.
struct Landing {
  uint32_t site;
  uint32_t tag;
  uint32_t target;
};

struct CallSite {
  uint32_t offset;  ///< of the 32-bit displacement
  uint32_t func;    ///< function index
};

struct CompiledFunction {
  std::vector<uint8_t> bytes;
  std::vector<CallSite> calls;
  std::vector<Site> sites;       ///< ascending
  std::vector<Landing> landings; ///< ascending by site
  uint32_t frame_bytes = 0;
  uint32_t argument_bytes = 0;   ///< on the stack, taken off at its return
  std::string declined;          ///< why the interpreter runs it, or ""
};

}  // namespace krait::jit
