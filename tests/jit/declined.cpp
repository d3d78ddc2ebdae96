// declined FOLDER: compiles every module below the folder and names each function that the JIT leaves to the interpreter.
// Exit status 1 if there is one. Modules that the engine rejects are counted.
#include <cstdio>
#include <filesystem>

#include "jit/jit.hpp"
#include "tests/support/file.hpp"

int main(int argc, char** argv) {
  if (argc != 2 || !krait::jit::supported()) return argc != 2 ? 2 : 77;
  size_t modules = 0, rejected = 0, functions = 0, declined = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1])) {
    if (entry.path().extension() != ".wasm") continue;
    auto bytes = krait::test::read_file(entry.path());
    auto module = bytes ? krait::engine::Module::compile(std::move(*bytes)) : krait::Error{"unreadable"};
    if (!module) {
      ++rejected;
      continue;
    }
    ++modules;
    const krait::jit::CodegenReport report = krait::jit::report(*module, {.threads = 1, .verify = true});
    functions += report.functions;
    for (const auto& f : report.declined) {
      ++declined;
      std::printf("%s, function %u: %s\n", entry.path().c_str(), f.func, f.why.c_str());
    }
  }
  std::printf("%zu modules, %zu rejected; %zu functions compiled, %zu declined\n", modules, rejected, functions, declined);
  return declined || !functions ? 1 : 0;
}
