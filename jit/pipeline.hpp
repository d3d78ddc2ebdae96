// One function through all passes.
#pragma once

#include "jit/build.hpp"
#include "jit/code.hpp"
#include "jit/jit.hpp"
#include "jit/lir.hpp"

namespace krait::jit {

struct Pass {
  const char* name;
  void (*run)(Function& f);
};
/// In the order in which they run.
std::span<const Pass> passes();

/// Compiles a defined function, from `entry` on if that is not null, or says in `declined` why not. `stages`, if not null, takes it at each point.
CompiledFunction compile_function(const engine::Module& module, uint32_t defined_func, const Options& options,
                                  const CpuFeatures& cpu, std::vector<Stage>* stages, LoopEntry* entry = nullptr);
/// A thunk in the place of an import or a declined function.
CompiledFunction compile_thunk(const engine::Module& module, uint32_t func, Builtin builtin, const CpuFeatures& cpu);

}  // namespace krait::jit
