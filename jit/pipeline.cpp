// The order of things for one function.
#include "jit/pipeline.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "jit/opt.hpp"
#include "jit/x64_emit.hpp"

namespace krait::jit {

std::span<const Pass> passes() {
  static constexpr std::array<Pass, 9> Passes = {{
      {"inline", inline_leaves},
      {"range", range},
      {"fold", fold},
      {"divide", divide},
      {"bulk", bulk},
      {"gvn", gvn},
      {"forward", forward},
      {"licm", licm},
      {"dispatch", dispatch},
  }};
  return Passes;
}

namespace {

bool disabled(const Options& options, const char* name) {
  return std::find(options.disable.begin(), options.disable.end(), name) != options.disable.end();
}

void drop_polls(Function& f) {
  f.polls = false;
  for (Block& block : f.blocks) std::erase_if(block.nodes, [&](NodeId id) { return f[id].op == Op::Poll; });
}

void check(const Function& f, const char* stage) {
  const std::string wrong = verify(f);
  if (wrong.empty()) return;
  std::fprintf(stderr, "function %u, after %s: %s\n%s", f.index, stage, wrong.c_str(), print(f).c_str());
  std::abort();
}

bool generate(Function& f, const Options& options, const CpuFeatures& cpu, CompiledFunction& out, std::vector<Stage>* stages) {
  MFunction machine;
  select(f, cpu, machine);
  Allocation allocation;
  if (!allocate(machine, {options.registers, options.seed}, allocation)) {
    out.declined = "an instruction that needs more registers than there are";
    return false;
  }
  std::string assembly;
  if (!emit(machine, allocation, cpu, out, stages ? &assembly : nullptr)) {
    out.declined = "a frame that is too large";
    return false;
  }
  if (stages) stages->push_back({"x86-64", std::move(assembly)});
  return true;
}

}  // namespace

CompiledFunction compile_function(const engine::Module& module, uint32_t defined_func, const Options& options,
                                  const CpuFeatures& cpu, std::vector<Stage>* stages, LoopEntry* entry) {
  CompiledFunction out;
  if (options.decline && options.decline(defined_func)) {
    out.declined = "left out by an option";
    return out;
  }
  Function f;
  if (const char* why = build(module, defined_func, f, entry)) {
    out.declined = why;
    return out;
  }
  if (disabled(options, "polls")) drop_polls(f);
  if (stages) stages->push_back({"built", print(f)});
  if (options.verify) check(f, "build");
  for (const Pass& pass : passes()) {
    if (disabled(options, pass.name)) continue;
    if (options.cancel && options.cancel->load(std::memory_order_relaxed)) {
      out.declined = "given up";
      return out;
    }
    pass.run(f);
    if (stages) stages->push_back({pass.name, print(f)});
    if (options.verify) check(f, pass.name);
  }
  generate(f, options, cpu, out, stages);
  return out;
}

CompiledFunction compile_thunk(const engine::Module& module, uint32_t func, Builtin builtin, const CpuFeatures& cpu) {
  CompiledFunction out;
  Function f;
  build_thunk(module, func, builtin, f);
  generate(f, {}, cpu, out, nullptr);
  return out;
}

}  // namespace krait::jit
