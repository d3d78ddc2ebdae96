// Codegen of whole modules.
#include "jit/codegen.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "jit/build.hpp"
#include "jit/pipeline.hpp"

namespace krait::jit {

using engine::Module;

namespace {

/// The thunk of a function that the interpreter runs.
CompiledFunction interpreted(const Module& module, uint32_t index, const CpuFeatures& cpu, std::string why) {
  CompiledFunction thunk = compile_thunk(module, index, Builtin::CallInterpreter, cpu);
  thunk.declined = std::move(why);
  return thunk;
}

}  // namespace

CompiledFunction compile_index(const Module& module, uint32_t index, const Options& options, const CpuFeatures& cpu) {
  const uint32_t imported = module.imported_funcs;
  if (!supports(module.type_of_func(index))) {
    CompiledFunction none;
    none.declined = "a signature that is too large";
    return none;
  }
  if (index < imported) return compile_thunk(module, index, Builtin::CallImport, cpu);
  CompiledFunction f = compile_function(module, index - imported, options, cpu, nullptr);
  if (f.declined.empty()) return f;
  return interpreted(module, index, cpu, std::move(f.declined));
}

CpuFeatures cpu_for(const Options& options) { return options.baseline ? CpuFeatures{} : detect_cpu(); }

uint32_t thread_count(const Options& options) {
  return options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
}

std::vector<CompiledFunction> compile_all(const Module& module, const Options& options, const CpuFeatures& cpu) {
  const auto count = static_cast<uint32_t>(module.func_types.size());
  std::vector<CompiledFunction> out(count);
  std::atomic<uint32_t> next{0};
  auto work = [&] {
    for (uint32_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) out[i] = compile_index(module, i, options, cpu);
  };
  auto work_and_tell = [&] {
    for (uint32_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      out[i] = compile_index(module, i, options, cpu);
      if (options.progress && i % 256 == 0) options.progress(i, count);
    }
  };
  uint32_t threads = thread_count(options);
  if (count < 64) threads = 1;
  std::vector<std::jthread> helpers;
  for (uint32_t t = 1; t < threads; ++t) helpers.emplace_back(work);
  work_and_tell();
  helpers.clear();  // joins
  return out;
}

bool uses_cache(const Options& o) { return o.cache && o.disable.empty() && !o.registers && !o.seed && !o.decline && !o.baseline; }

std::shared_ptr<Image> from_cache(const std::shared_ptr<const Module>& module, CodeCache& cache, const BlobIdentity& identity) {
  for (const bool for_good : {false, true}) {
    const int fd = cache.find(identity.key);
    if (fd < 0) return nullptr;
    Result<MappedBlob> file = map_file(fd, *module, identity);
    ::close(fd);
    if (file) return Image::map(module, std::move(*file));
    cache.reject(identity.key, file.error().message, for_good);
  }
  return nullptr;
}

BlobIdentity identity_of(const Module& module, CodeCache& cache, const CpuFeatures& cpu) {
  return {cache.key_of(module, compiler_identity(cpu.bits())), cpu.bits()};
}

}  // namespace krait::jit
