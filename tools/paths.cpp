// krait paths
#include <cstdio>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer = R"(A name and a path a line, or with NAME that path alone:
  store        uploaded functions ($KRAIT_HOME)
  cache        what was built for wasm ($XDG_CACHE_HOME/krait)
  code         machine code made by the JIT
  python.wasm  CPython as a plain WASI command, for other runtimes too
  reactor      CPython as krait runs it
  stdlib       the folder that holds python3.13/
  image        the standard library as one read-only file
  cc           a compiler for C extensions: $(krait paths cc) -shared spam.c -o spam.so

Example:
  krait paths python.wasm)";

int paths(const std::string& wanted) {
  const auto home = store::default_home();
  const auto cache = cache_folder();
  const auto code = code_folder();
  const auto runtime = find_runtime();
  struct Row {
    const char* name;
    const std::filesystem::path* path;
    const Error* error;
  };
  const auto part = [&](const char* name, std::filesystem::path RuntimePaths::*member) {
    return runtime ? Row{name, &((*runtime).*member), nullptr} : Row{name, nullptr, &runtime.error()};
  };
  const Row rows[] = {
      home ? Row{"store", &*home, nullptr} : Row{"store", nullptr, &home.error()},
      cache ? Row{"cache", &*cache, nullptr} : Row{"cache", nullptr, &cache.error()},
      code ? Row{"code", &*code, nullptr} : Row{"code", nullptr, &code.error()},
      part("python.wasm", &RuntimePaths::python_wasm),
      part("reactor", &RuntimePaths::reactor),
      part("stdlib", &RuntimePaths::stdlib),
      part("image", &RuntimePaths::image),
      part("cc", &RuntimePaths::cc),
  };
  const Error* first_error = nullptr;
  bool known = wanted.empty();
  for (const Row& row : rows) {
    if (!wanted.empty() && row.name != wanted) continue;
    known = true;
    if (!row.path)
      first_error = first_error ? first_error : row.error;
    else if (wanted.empty())
      std::printf("%s %s\n", row.name, row.path->c_str());
    else
      std::printf("%s\n", row.path->c_str());
  }
  if (!known) return fail("paths: nothing is called '" + wanted + "' (see krait paths --help)", UsageError);
  return first_error ? fail(first_error->message) : Success;
}

}  // namespace

void add_paths(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("paths", "Print where the store and the runtime's parts lie");
  const auto name = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "Print only this path");
  verb->footer(Footer);
  verb->callback([name, &status] { status = paths(*name); });
}

}  // namespace krait::tools
