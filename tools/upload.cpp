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
  std::vector<std::string> limits;
  EngineOption engine;
};

int upload_python(const Options& options, store::Bytes source, const pyhost::LimitChanges& limits) {
  const auto compiler = options.engine.compiler();
  if (!compiler) return fail(compiler.error().to_string(), UsageError);
  auto serving = OneService::start(*compiler, nullptr);
  if (!serving) return fail(serving.error().to_string());
  const auto stored = serving->service->upload({options.user, options.function, store::FunctionKind::Python, std::move(source), limits, options.file});
  if (stored) return Success;
  if (stored.error().kind != pyhost::Refusal::Kind::Invalid) return fail(options.file + ": " + stored.error().message);
  std::fputs(stored.error().message.c_str(), stderr);
  return Failed;
}

int upload(const Options& options) {
  for (const auto& checked : {store::check_name("user", options.user), store::check_name("function", options.function)})
    if (!checked) return fail(checked.error().to_string(), UsageError);
  const auto limits = parse_limits(options.limits);
  if (!limits) return fail(limits.error().message, UsageError);
  auto contents = read_input(options.file);
  if (!contents) return fail(contents.error().to_string());
  const size_t size = contents->size();
  auto kind = store::FunctionKind::Python;
  if (is_wasm(*contents) || options.file.ends_with(".wasm")) {
    kind = store::FunctionKind::Wasm;
    if (const auto module = engine::Module::compile(std::span<const std::byte>(*contents)); !module)
      return fail(options.file + ": " + module.error().to_string());
    auto functions = open_functions();
    if (!functions) return fail(functions.error().to_string());
    const auto stored = functions->put(options.user, options.function, kind, *contents, limits->to_json());
    if (!stored) return fail(stored.error().to_string());
  } else if (const int status = upload_python(options, std::move(*contents), *limits); status != Success) {
    return status;
  }
  std::printf("uploaded %s/%s: %s, %zu bytes\n", options.user.c_str(), options.function.c_str(), name_of(kind),
              size);
  return Success;
}

}  // namespace

void add_upload(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("upload", "Check a function and keep it in the store");
  const auto options = std::make_shared<Options>();
  verb->add_option("USER", options->user, "Who the function belongs to")->required();
  verb->add_option("FUNC", options->function, "Its name")->required();
  verb->add_option("FILE", options->file, "A Python file or a wasm module; - reads standard input")->required();
  verb->add_option("--limit", options->limits, "A limit of the function's calls")->type_name("NAME=NUMBER")->type_size(1)->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  options->engine.add_to(*verb);
  verb->footer(Footer + ("\n\n" + limits_help()));
  verb->callback([options, &status] { status = upload(*options); });
}

}  // namespace krait::tools
