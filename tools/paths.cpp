// krait paths
#include <cstdio>

#include "tools/cli.hpp"

namespace krait::tools {
namespace {

constexpr const char* Footer = R"(A name and a path a line, or with NAME that path alone:
  store        uploaded functions ($KRAIT_HOME)
  cache        what was built for wasm ($XDG_CACHE_HOME/krait)
  python.wasm  CPython as a plain WASI command, for other runtimes too
  reactor      CPython as krait runs it
  stdlib       the folder that holds python3.13/
  image        the standard library as one read-only file

Example:
  krait paths python.wasm)";

int paths(const std::string& name) {
  std::vector<std::pair<std::string, std::filesystem::path>> found;
  const auto home = store::default_home();
  if (home) found.emplace_back("store", *home);
  const auto cache = cache_folder();
  if (cache) found.emplace_back("cache", *cache);
  const auto runtime = find_runtime();
  if (runtime) {
    found.emplace_back("python.wasm", runtime->python_wasm);
    found.emplace_back("reactor", runtime->reactor);
    found.emplace_back("stdlib", runtime->stdlib);
    found.emplace_back("image", runtime->image);
  }
  bool printed = false;
  for (const auto& [what, path] : found) {
    if (!name.empty() && what != name) continue;
    std::printf("%s%s%s\n", name.empty() ? what.c_str() : "", name.empty() ? " " : "", path.c_str());
    printed = true;
  }
  if (!name.empty() && printed) return Success;
  for (const std::string& known : {"store", "cache"})
    if (name == known) return fail((name == "store" ? home : cache).error().message);
  const bool part = name.empty() || name == "python.wasm" || name == "reactor" || name == "stdlib" || name == "image";
  if (!part) return fail("paths: nothing is called '" + name + "' (see krait paths --help)", UsageError);
  for (const Error* error : {home ? nullptr : &home.error(), cache ? nullptr : &cache.error(), runtime ? nullptr : &runtime.error()})
    if (error) return fail(error->message);
  return Success;
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
