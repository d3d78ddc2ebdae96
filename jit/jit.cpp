// The compiler: all functions of a module on some threads, then one image.
#include "jit/jit.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "jit/blob_file.hpp"
#include "jit/build.hpp"
#include "jit/builtins.hpp"
#include "jit/image.hpp"
#include "jit/perfmap.hpp"
#include "jit/pipeline.hpp"

namespace krait::jit {
namespace {

using engine::Module;

/// The thunk of a function that the interpreter runs.
CompiledFunction interpreted(const Module& module, uint32_t index, const CpuFeatures& cpu, std::string why) {
  CompiledFunction thunk = compile_thunk(module, index, Builtin::CallInterpreter, cpu);
  thunk.declined = std::move(why);
  return thunk;
}

/// Compiles one function index: its own code, or the thunk that stands for it.
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

/// A tail call from machine code to an interpreted function and back would use up the native stack. So beside interpreted
/// functions, those that make tail calls are interpreted too.
void keep_tail_calls_flat(const Module& module, const CpuFeatures& cpu, std::vector<CompiledFunction>& functions) {
  bool any = false;
  for (uint32_t i = module.imported_funcs; i < functions.size(); ++i) any |= !functions[i].declined.empty();
  if (!any) return;
  for (uint32_t i = module.imported_funcs; i < functions.size(); ++i)
    if (functions[i].tail_calls) functions[i] = interpreted(module, i, cpu, "a tail call beside interpreted functions");
}

/// Functions are handed out one by one; the result does not depend on who took which.
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
  uint32_t threads = options.threads ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  if (count < 64) threads = 1;
  std::vector<std::jthread> helpers;
  for (uint32_t t = 1; t < threads; ++t) helpers.emplace_back(work);
  work_and_tell();
  helpers.clear();  // joins
  keep_tail_calls_flat(module, cpu, out);
  return out;
}

CpuFeatures cpu_for(const Options& options) { return options.baseline ? CpuFeatures{} : detect_cpu(); }

/// The cache holds what the options as they stand for everybody make.
bool uses_cache(const Options& o) { return o.cache && o.disable.empty() && !o.registers && !o.seed && !o.decline; }

std::shared_ptr<Image> from_cache(const std::shared_ptr<const Module>& module, CodeCache& cache, const BlobIdentity& identity) {
  const int fd = cache.find(identity.key);
  if (fd < 0) return nullptr;
  Result<MappedBlob> file = map_file(fd, *module, identity);
  ::close(fd);
  if (file) return Image::map(module, std::move(*file));
  cache.reject(identity.key, file.error().message);
  return nullptr;
}

BlobIdentity identity_of(const Module& module, CodeCache& cache, const CpuFeatures& cpu) {
  return {cache.key_of(module, compiler_identity(cpu.bits())), cpu.bits()};
}

class JitCompiler final : public engine::Compiler {
 public:
  explicit JitCompiler(Options options) : options_(std::move(options)), cpu_(cpu_for(options_)) {}

  std::shared_ptr<engine::CodeImage> image_for(std::shared_ptr<const Module> module) override {
    std::lock_guard lock(mutex_);
    std::weak_ptr<Image>& known = images_[module.get()];
    if (std::shared_ptr<Image> image = known.lock()) return image;
    std::shared_ptr<Image> image = make(module);
    if (options_.perf_map) write_perf_map(*module, *image);
    known = image;
    return image;
  }
  [[nodiscard]] const void* interpreter_entry() const override { return entry_stub(); }
  [[nodiscard]] const void* host_entry() const override { return entry_stub(); }
  [[nodiscard]] const void* foreign_entry() const override { return entry_stub(); }
  [[nodiscard]] const void* const* builtins() const override { return builtin_table(); }

 private:
  std::shared_ptr<Image> make(const std::shared_ptr<const Module>& module) {
    BlobIdentity identity;
    if (uses_cache(options_)) {
      identity = identity_of(*module, *options_.cache, cpu_);
      if (std::shared_ptr<Image> image = from_cache(module, *options_.cache, identity)) return image;
    }
    Blob blob;
    if (module->bytes().size() > options_.max_module_bytes) {
      blob.functions.resize(module->func_types.size());  // all interpreted
      blob.enter_of_type.assign(module->types.size(), engine::NoIndex);
      return Image::map(module, std::move(blob));
    }
    std::vector<CompiledFunction> functions = compile_all(*module, options_, cpu_);
    blob = link(*module, functions);
    if (uses_cache(options_)) options_.cache->keep(identity.key, to_file(blob.view(), *module, identity));
    return Image::map(module, std::move(blob));
  }

  const Options options_;
  const CpuFeatures cpu_;
  std::mutex mutex_;
  std::unordered_map<const Module*, std::weak_ptr<Image>> images_;  // an image keeps its module, so keys are not reused
};

}  // namespace

bool supported() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("x86-64-v2");
#else
  return false;
#endif
}

CpuFeatures detect_cpu() {
  CpuFeatures cpu;
#if defined(__x86_64__)
  cpu.bmi1 = __builtin_cpu_supports("bmi");
  cpu.bmi2 = __builtin_cpu_supports("bmi2");
  cpu.lzcnt = __builtin_cpu_supports("lzcnt");
  cpu.avx = __builtin_cpu_supports("avx");
  cpu.avx2 = __builtin_cpu_supports("avx2");
#endif
  return cpu;
}

std::unique_ptr<engine::Compiler> make_compiler(Options options) {
  if (!supported()) return nullptr;
  return std::make_unique<JitCompiler>(std::move(options));
}

CodegenReport report(std::shared_ptr<const Module> module, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<CompiledFunction> functions = compile_all(*module, options, cpu_for(options));
  CodegenReport out;
  for (uint32_t i = 0; i < functions.size(); ++i) {
    if (!functions[i].declined.empty()) out.declined.push_back({i, functions[i].declined});
    else if (i >= module->imported_funcs) ++out.functions;
  }
  out.code_bytes = link(*module, functions).code.size();
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

CodegenReport codegen(std::shared_ptr<const Module> module, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  CodegenReport out;
  const CpuFeatures cpu = cpu_for(options);
  const BlobIdentity identity = identity_of(*module, *options.cache, cpu);
  if (const auto image = from_cache(module, *options.cache, identity)) {
    out.code_bytes = image->blob().code.size();
  } else {
    std::vector<CompiledFunction> functions = compile_all(*module, options, cpu);
    out.functions = module->functions.size();
    const Blob blob = link(*module, functions);
    out.code_bytes = blob.code.size();
    options.cache->keep(identity.key, to_file(blob.view(), *module, identity));
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const Pass& p : passes()) names.emplace_back(p.name);
  return names;
}

std::string disassemble(const Module& module, uint32_t defined_func, const Options& options) {
  std::string text = module.func_name(module.imported_funcs + defined_func) + ":\n";
  const CompiledFunction f = compile_function(module, defined_func, options, cpu_for(options), &text);
  if (!f.declined.empty()) text += "left to the interpreter: " + f.declined + "\n";
  return text;
}

}  // namespace krait::jit
