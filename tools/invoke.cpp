// krait invoke USER FUNC
#include <cstdio>
#include <nlohmann/json.hpp>

#include "pyhost/calls/report.hpp"
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
  std::vector<std::string> limits;
  bool json = false;
  CLI::Option* text_option = nullptr;
  NetOption net;
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

int show(const pyhost::CallReport& report, bool as_json) {
  if (as_json) {
    std::printf("%s\n", pyhost::json_of(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    std::fflush(stdout);
    return exit_status(report.status);
  }
  if (const auto written = write_output(report.output); !written) return fail(written.error().to_string());
  if (!report.error.empty())
    std::fprintf(stderr, "krait: %s%s\n", report.end == pyhost::CallEnd::Trapped ? "trap: " : "", report.error.c_str());
  return exit_status(report.status);
}

int call(const Options& options, engine::Compiler* compiler, const pyhost::LimitChanges& limits, store::Bytes input,
         std::shared_ptr<const pyhost::NetPolicy> network) {
  auto state = open_state(OpenState::AtFirstUse);
  if (!state) return fail(state.error().to_string());
  auto serving = OneService::start(compiler, std::move(*state), std::move(network));
  if (!serving) return fail(serving.error().to_string());
  pyhost::CallSpec spec{options.user, options.function, options.entry, std::move(input), limits, nullptr, nullptr};
  if (!options.json) spec.out = spec.err = pyhost::Stdio::inherit().err;  // stdout is the output's alone
  const auto report = serving->service->call(std::move(spec));
  if (!report) {
    const bool unknown = report.error().kind == pyhost::Refusal::Kind::Unknown;
    return fail(report.error().message + (unknown ? ": `krait list` shows what there is" : ""));
  }
  const int status = show(*report, options.json);
  serving->service.reset();  // shared files that the call left open are pushed with its sandbox's end
  leave(status);
}

int invoke(const Options& options) {
  for (const auto& checked : {store::check_name("user", options.user), store::check_name("function", options.function)})
    if (!checked) return fail(checked.error().to_string(), UsageError);
  if (!options.dash.empty() && options.dash != "-")
    return fail("unexpected '" + options.dash + "': the input is given by --input TEXT, --input-file FILE or -",
                UsageError);
  const auto compiler = options.engine.compiler();
  if (!compiler) return fail(compiler.error().to_string(), UsageError);
  const auto limits = parse_limits(options.limits);
  if (!limits) return fail(limits.error().message, UsageError);
  auto network = options.net.policy();
  if (!network) return fail(network.error().message, UsageError);
  auto input = input_of(options);
  if (!input) return fail(input.error().to_string());
  return call(options, *compiler, *limits, std::move(*input), std::move(*network));
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
  verb->add_option("--limit", options->limits, "A limit for this call, tighter than the function's")->type_name("NAME=NUMBER")->type_size(1)->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb->add_flag("--json", options->json, "Print all about the call as JSON instead");
  options->net.add_to(*verb);
  options->engine.add_to(*verb);
  verb->footer(Footer + ("\n\n" + limits_help()));
  verb->callback([options, &status] { status = invoke(*options); });
}

}  // namespace krait::tools
