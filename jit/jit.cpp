// The compiler: all functions of a module on some threads, then one image.
#include "jit/jit.hpp"

#include <chrono>
#include <mutex>
#include <unordered_map>

#include "jit/background.hpp"
#include "jit/builtins.hpp"
#include "jit/codegen.hpp"
#include "jit/pipeline.hpp"

namespace krait::jit {
namespace {

using engine::Module;

class JitCompiler final : public engine::Compiler {
 public:
  explicit JitCompiler(Options options)
      : options_(std::move(options)), cpu_(cpu_for(options_)), in_place_{options_, cpu_, nullptr} {
    if (options_.codegen == Codegen::Behind) behind_ = std::make_unique<BackgroundThreads>(options_, cpu_);
  }

  std::shared_ptr<engine::CodeImage> image_for(std::shared_ptr<const Module> module) override {
    std::lock_guard lock(mutex_);
    std::weak_ptr<engine::CodeImage>& known = images_[module.get()];
    if (std::shared_ptr<engine::CodeImage> image = known.lock()) return image;
    std::shared_ptr<engine::CodeImage> image = make(module);
    known = image;
    return image;
  }
  [[nodiscard]] const void* interpreter_entry() const override { return entry_stub(); }
  [[nodiscard]] const void* host_entry() const override { return entry_stub(); }
  [[nodiscard]] const void* foreign_entry() const override { return entry_stub(); }
  [[nodiscard]] const void* const* builtins() const override { return builtin_table(); }

 private:
  std::shared_ptr<engine::CodeImage> make(const std::shared_ptr<const Module>& module) {
    BlobIdentity identity;
    if (uses_cache(options_)) {
      identity = identity_of(*module, *options_.cache, cpu_);
      if (std::shared_ptr<Image> image = from_cache(module, *options_.cache, identity)) return told(std::move(image));
    }
    if (behind_) return behind_->image_for(module);
    if (options_.codegen == Codegen::InPlace) return std::make_shared<BackgroundImage>(module, in_place_);
    std::vector<CompiledFunction> functions = compile_all(*module, options_, cpu_);
    Blob blob = link(*module, functions);
    if (uses_cache(options_)) options_.cache->keep(identity.key, to_file(blob.view(), *module, identity));
    return told(Image::map(module, std::move(blob)));
  }
  std::shared_ptr<Image> told(std::shared_ptr<Image> image) const {
    image->tell({options_.perf_map, options_.gdb});
    return image;
  }

  const Options options_;
  const CpuFeatures cpu_;
  const BackgroundSettings in_place_;
  std::mutex mutex_;
  std::unordered_map<const Module*, std::weak_ptr<engine::CodeImage>> images_;  // an image keeps its module, so keys are not reused
  std::unique_ptr<BackgroundThreads> behind_;  // goes first: its threads use the rest
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

std::vector<Stage> stages_of(const Module& module, uint32_t defined_func, const Options& options) {
  std::vector<Stage> stages;
  const CompiledFunction f = compile_function(module, defined_func, options, cpu_for(options), &stages);
  if (!f.declined.empty()) stages.push_back({"declined", "left to the interpreter: " + f.declined + "\n"});
  return stages;
}

}  // namespace krait::jit
