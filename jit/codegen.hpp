// Codegen of whole modules: what each function index becomes, on how many threads, and where it is kept.
#pragma once

#include <memory>
#include <vector>

#include "jit/blob_file.hpp"
#include "jit/code.hpp"
#include "jit/image.hpp"
#include "jit/jit.hpp"
#include "jit/lir.hpp"

namespace krait::jit {

/// Compiles one function index: its own code, or the thunk that stands for an import or a declined function.
CompiledFunction compile_index(const engine::Module& module, uint32_t index, const Options& options, const CpuFeatures& cpu);
/// All functions, imports first; functions are handed out to threads one by one, and the result does not depend on who took which.
std::vector<CompiledFunction> compile_all(const engine::Module& module, const Options& options, const CpuFeatures& cpu);
/// What code may use: this CPU's features, or none with Options::baseline.
CpuFeatures cpu_for(const Options& options);
/// Options::threads, or one a core.
uint32_t thread_count(const Options& options);

/// The cache holds what the options as they stand for everybody make.
bool uses_cache(const Options& options);
BlobIdentity identity_of(const engine::Module& module, CodeCache& cache, const CpuFeatures& cpu);
/// Null where the cache has none; what is there and wrong is rejected.
std::shared_ptr<Image> from_cache(const std::shared_ptr<const engine::Module>& module, CodeCache& cache, const BlobIdentity& identity);

}  // namespace krait::jit
