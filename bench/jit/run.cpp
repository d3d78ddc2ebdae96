// jit-run [--without NAME]... [--dir HOST::GUEST]... MODULE [ARGUMENT...]: runs a WASI command in machine code that is made without
// some passes, or without polls ("polls"), so that runs of both can be compared.
#include <cstdio>
#include <cstring>

#include "jit/jit.hpp"
#include "pyhost/command.hpp"

namespace {

using namespace krait;

int fail(const std::string& why) {
  std::fprintf(stderr, "jit-run: %s\n", why.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  jit::Options options;
  pyhost::CommandOptions command;
  int at = 1;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    if (!std::strcmp(argv[at], "--without")) {
      options.disable.emplace_back(argv[at + 1]);
    } else if (!std::strcmp(argv[at], "--dir")) {
      auto mount = pyhost::parse_mount(argv[at + 1]);
      if (!mount) return fail(mount.error().message);
      command.mounts.push_back(std::move(*mount));
    } else {
      return fail(std::string("unknown option ") + argv[at]);
    }
  }
  if (at == argc) return fail("MODULE is required");
  command.args.assign(argv + at, argv + argc);
  const auto compiler = jit::make_compiler(options);
  if (!compiler) return fail("the JIT has no code for this machine");
  command.store.compiler = compiler.get();
  const auto module = pyhost::load_module(argv[at]);
  if (!module) return fail(module.error().message);
  const auto ended = pyhost::run_command(*module, command);
  if (!ended) return fail(ended.error().message);
  if (ended->trap) return fail(ended->trap->to_string());
  return ended->status;
}
