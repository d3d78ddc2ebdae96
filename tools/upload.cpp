// krait upload USER FUNC FILE
#include <cstdio>
#include <string_view>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer =
    R"(FILE is a Python file, or a wasm module in the binary format. It is checked first: where its syntax is
wrong the place is shown, the exit status is 1, and what was stored before stays. The next invoke
sees the new function.

Examples:
  krait upload demo hello examples/hello.py
  krait upload demo add add.wasm)";

struct Options {
  std::string user, function, file;
  EngineOption engine;
};

/// Success, or the status to leave with.
int check_python(const Options& options, std::span<const std::byte> source) {
  const auto compiler = options.engine.compiler();
  if (!compiler) return fail(compiler.error().to_string(), UsageError);
  const auto runtime = load_python(*compiler);
  if (!runtime) return fail(runtime.error().to_string());
  pyhost::PythonOptions python;
  python.env = pyhost::default_python_env();
  python.stdio = {};
  const auto instance = pyhost::PythonInstance::create(*runtime, std::move(python));
  if (!instance) return fail(instance.error().to_string());
  const std::string_view text(reinterpret_cast<const char*>(source.data()), source.size());
  const auto checked = (*instance)->check(text, options.file);
  if (!checked) return fail(options.file + ": " + checked.error().to_string());
  if (!checked->has_value()) return Success;
  std::fputs((*checked)->text.c_str(), stderr);
  return Failed;
}

int upload(const Options& options) {
  for (const auto& checked : {store::check_name("user", options.user), store::check_name("function", options.function)})
    if (!checked) return fail(checked.error().to_string(), UsageError);
  const auto contents = read_input(options.file);
  if (!contents) return fail(contents.error().to_string());
  auto kind = store::FunctionKind::Python;
  if (is_wasm(*contents) || options.file.ends_with(".wasm")) {
    kind = store::FunctionKind::Wasm;
    if (const auto module = engine::Module::compile(std::span<const std::byte>(*contents)); !module)
      return fail(options.file + ": " + module.error().to_string());
  } else if (const int status = check_python(options, *contents); status != Success) {
    return status;
  }
  auto functions = open_functions();
  if (!functions) return fail(functions.error().to_string());
  const auto stored = functions->put(options.user, options.function, kind, *contents);
  if (!stored) return fail(stored.error().to_string());
  std::printf("uploaded %s/%s: %s, %zu bytes\n", options.user.c_str(), options.function.c_str(), name_of(kind),
              contents->size());
  return Success;
}

}  // namespace

void add_upload(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("upload", "Check a function and keep it in the store");
  const auto options = std::make_shared<Options>();
  verb->add_option("USER", options->user, "Who the function belongs to")->required();
  verb->add_option("FUNC", options->function, "Its name")->required();
  verb->add_option("FILE", options->file, "A Python file or a wasm module; - reads standard input")->required();
  options->engine.add_to(*verb);
  verb->footer(Footer);
  verb->callback([options, &status] { status = upload(*options); });
}

}  // namespace krait::tools
