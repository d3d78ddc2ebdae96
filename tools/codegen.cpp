// krait codegen: machine code ahead of its first use.
#include <unistd.h>

#include <cstdio>

#include "tools/cli.hpp"

#if KRAIT_JIT
#include "jit/jit.hpp"
#include "tools/code_cache.hpp"
#endif

namespace krait::tools {
namespace {

constexpr const char* Footer =
    R"(Makes machine code for a module, in a file or stored as a function, or for the Python runtime, and keeps it
in the cache (krait paths code). What is there already is no work. run and invoke use it; without, they leave
large modules to the interpreter, unless PYTHON_CODEGEN=on is in the environment.

Examples:
  krait codegen --python
  krait codegen module.wasm
  krait codegen demo add)";

struct Options {
  std::vector<std::string> words;
  bool python = false;
};

#if KRAIT_JIT
int codegen_of(const std::string& name, const store::Bytes& bytes, DiskCodeCache& cache) {
  const auto module = engine::Module::compile(std::span<const std::byte>(bytes));
  if (!module) return fail(name + ": " + module.error().to_string());
  jit::Options options;
  options.cache = &cache;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (terminal)
    options.progress = [&](size_t done, size_t all) {
      std::fprintf(stderr, "\rcodegen: %s: %zu of %zu functions\033[K", name.c_str(), done, all);
    };
  const jit::CodegenReport report = jit::codegen(*module, options);
  if (terminal) std::fputs("\r\033[K", stderr);
  if (cache.last().empty()) return Failed;  // it said why
  if (report.functions)
    std::printf("codegen: %s: %zu functions, %zu bytes of code, %.1f s\n", name.c_str(), report.functions, report.code_bytes,
                report.seconds);
  else
    std::printf("codegen: %s: up to date, %zu bytes of code found and checked in %.1f ms\n", name.c_str(), report.code_bytes,
                report.seconds * 1e3);
  return Success;
}

int codegen_of_file(const std::string& path, DiskCodeCache& cache) {
  const auto bytes = read_input(path);
  if (!bytes) return fail(bytes.error().to_string());
  return codegen_of(path, *bytes, cache);
}

int codegen(const Options& options) {
  if (options.words.size() + options.python == 0 || (options.python && !options.words.empty()))
    return fail("codegen: give FILE, USER FUNC or --python (see krait codegen --help)", UsageError);
  if (!jit::supported()) return fail("codegen: the JIT has no code for this machine");
  const auto folder = code_folder();
  if (!folder) return fail(folder.error().message);
  DiskCodeCache cache(*folder);
  if (options.python) {
    const auto runtime = find_runtime();
    if (!runtime) return fail(runtime.error().message);
    const int reactor = codegen_of_file(runtime->reactor.string(), cache);
    return reactor != Success ? reactor : codegen_of_file(runtime->python_wasm.string(), cache);
  }
  if (options.words.size() == 1) return codegen_of_file(options.words[0], cache);
  const auto functions = open_functions();
  if (!functions) return fail(functions.error().message);
  const std::string name = options.words[0] + "/" + options.words[1];
  const auto function = functions->get(options.words[0], options.words[1]);
  if (!function) return fail(function.error().message);
  if (!function->has_value()) return fail("no function " + name + ": `krait list` shows what there is");
  if ((*function)->info.kind == store::FunctionKind::Wasm) return codegen_of(name, (*function)->contents, cache);
  return fail(name + " is Python: `krait codegen --python` does the runtime, which is all there is to do");
}
#else
int codegen(const Options&) { return fail("codegen: this krait is built without the JIT"); }
#endif

}  // namespace

void add_codegen(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("codegen", "Make machine code ahead of its first use");
  const auto options = std::make_shared<Options>();
  verb->add_option("FILE | USER FUNC", options->words, "A wasm module, or a stored function")->expected(1, 2);
  verb->add_flag("--python", options->python, "The Python runtime");
  verb->footer(Footer);
  verb->callback([options, &status] { status = codegen(*options); });
}

}  // namespace krait::tools
