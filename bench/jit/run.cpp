// jit-run [--without NAME]... [--dir HOST::GUEST]... MODULE [ARGUMENT...]: runs a WASI command in machine code that is made without
// some passes, or without polls ("polls"), so that runs of both can be compared. jit-run [--without NAME]... --python FOLDER: a Python
// script from standard input, by the runtime in the folder (krait paths reactor).
#include <cstdio>
#include <cstring>

#include "jit/jit.hpp"
#include "pyhost/command.hpp"
#include "pyhost/python.hpp"

namespace {

using namespace krait;

int fail(const std::string& why) {
  std::fprintf(stderr, "jit-run: %s\n", why.c_str());
  return 1;
}

int run_python(const std::string& folder, engine::Compiler* compiler) {
  const auto runtime = pyhost::PythonRuntime::load({folder + "/python-reactor.wasm", folder + "/python313.zip", compiler});
  if (!runtime) return fail(runtime.error().message);
  pyhost::PythonOptions options;
  options.env = pyhost::default_python_env();
  const auto ended = pyhost::run_script(*runtime, "-", {}, "", std::move(options));
  if (!ended) return fail(ended.error().message);
  if (ended->trap) return fail(ended->trap->to_string());
  return ended->status;
}

}  // namespace

int main(int argc, char** argv) {
  jit::Options options;
  pyhost::CommandOptions command;
  std::string python;
  int at = 1;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    if (!std::strcmp(argv[at], "--without")) {
      options.disable.emplace_back(argv[at + 1]);
    } else if (!std::strcmp(argv[at], "--dir")) {
      auto mount = pyhost::parse_mount(argv[at + 1]);
      if (!mount) return fail(mount.error().message);
      command.mounts.push_back(std::move(*mount));
    } else if (!std::strcmp(argv[at], "--python")) {
      python = argv[at + 1];
    } else {
      return fail(std::string("unknown option ") + argv[at]);
    }
  }
  if (at == argc && python.empty()) return fail("MODULE is required");
  command.args.assign(argv + at, argv + argc);
  const auto compiler = jit::make_compiler(options);
  if (!compiler) return fail("the JIT has no code for this machine");
  if (!python.empty()) return run_python(python, compiler.get());
  command.store.compiler = compiler.get();
  const auto module = pyhost::load_module(argv[at]);
  if (!module) return fail(module.error().message);
  const auto ended = pyhost::run_command(*module, command);
  if (!ended) return fail(ended.error().message);
  if (ended->trap) return fail(ended->trap->to_string());
  return ended->status;
}
