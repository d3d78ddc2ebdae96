// krait invoke USER FUNC
#include <cstdio>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer =
    R"(The function's output goes to stdout, byte for byte; what it prints goes to stderr. The exit status is
the function's: what it returned (nothing: 0) or gave to exit(); 1 after an exception, whose
traceback goes to stderr; 134 after a trap. A Python function is entered by its faasm_main(). A wasm
function is a WASI command: it reads its input from stdin, and its output is what it writes to
stdout.

Examples:
  krait invoke demo hello
  krait invoke demo echo --input 'some text'
  krait invoke demo echo --input-file picture.png > copy.png
  head -c 100000 /dev/urandom | krait invoke demo echo - | wc -c)";

struct Options {
  std::string user, function, text, file, dash, entry = "faasm_main";
  CLI::Option* text_option = nullptr;
  EngineOption engine;
};

Result<store::Bytes> input_of(const Options& options) {
  if (options.text_option->count()) {
    const auto bytes = std::as_bytes(std::span(options.text));
    return store::Bytes(bytes.begin(), bytes.end());
  }
  if (options.dash == "-") return read_input("-");
  if (!options.file.empty()) return read_input(options.file);
  return store::Bytes();
}

int invoke_python(const Options& options, engine::Compiler* compiler, const store::Function& function,
                  std::span<const std::byte> input) {
  const auto runtime = load_python(compiler);
  if (!runtime) return fail(runtime.error().to_string());
  pyhost::PythonOptions python;
  python.env = pyhost::default_python_env();
  python.stdio.in = nullptr;
  python.stdio.out = python.stdio.err;  // stdout is the output's alone
  auto state = open_state();
  if (!state) return fail(state.error().to_string());
  python.state = std::move(*state);
  const auto instance = pyhost::PythonInstance::create(*runtime, std::move(python));
  if (!instance) return fail(instance.error().to_string());
  pyhost::CallRequest request;
  request.user = options.user;
  request.function = options.function;
  request.source.assign(reinterpret_cast<const char*>(function.contents.data()), function.contents.size());
  request.entry = options.entry;
  request.input = input;
  const auto result = (*instance)->call(request);
  if (!result) return fail(result.error().to_string());
  if (const auto written = write_output(result->output); !written) return fail(written.error().to_string());
  return report({result->status, result->trap});
}

int invoke_wasm(const Options& options, engine::Compiler* compiler, const store::Function& function,
                store::Bytes input) {
  const auto module = engine::Module::compile(std::span<const std::byte>(function.contents));
  if (!module) return fail(module.error().to_string());
  pyhost::CommandOptions command;
  command.args = {options.function};
  command.stdio.in = pyhost::bytes_source(std::move(input));
  command.store.compiler = compiler;
  auto state = open_state();
  if (!state) return fail(state.error().to_string());
  command.state = std::move(*state);
  command.user = options.user;
  const auto ended = pyhost::run_command(*module, command);
  if (!ended) return fail(ended.error().to_string());
  return report(*ended);
}

int invoke(const Options& options) {
  for (const auto& checked : {store::check_name("user", options.user), store::check_name("function", options.function)})
    if (!checked) return fail(checked.error().to_string(), UsageError);
  if (!options.dash.empty() && options.dash != "-")
    return fail("unexpected '" + options.dash + "': the input is given by --input TEXT, --input-file FILE or -",
                UsageError);
  const auto compiler = options.engine.compiler();
  if (!compiler) return fail(compiler.error().to_string(), UsageError);
  const auto functions = open_functions();
  if (!functions) return fail(functions.error().to_string());
  const auto function = functions->get(options.user, options.function);
  if (!function) return fail(function.error().to_string());
  if (!function->has_value())
    return fail("no function " + options.user + "/" + options.function + " in " + functions->home().string() +
                ": `krait list` shows what there is");
  auto input = input_of(options);
  if (!input) return fail(input.error().to_string());
  if ((*function)->info.kind == store::FunctionKind::Wasm)
    return invoke_wasm(options, *compiler, **function, std::move(*input));
  return invoke_python(options, *compiler, **function, *input);
}

}  // namespace

void add_invoke(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("invoke", "Call a stored function");
  const auto options = std::make_shared<Options>();
  verb->add_option("USER", options->user, "Who the function belongs to")->required();
  verb->add_option("FUNC", options->function, "Its name")->required();
  CLI::Option* dash = verb->add_option("INPUT", options->dash, "A dash: the input comes from standard input");
  options->text_option = verb->add_option("--input", options->text, "The input as text");
  CLI::Option* file = verb->add_option("--input-file", options->file, "A file with the input; - is standard input");
  dash->excludes(options->text_option)->excludes(file);
  file->excludes(options->text_option);
  verb->add_option("--entry", options->entry, "The Python function to call")->capture_default_str();
  options->engine.add_to(*verb);
  verb->footer(Footer);
  verb->callback([options, &status] { status = invoke(*options); });
}

}  // namespace krait::tools
