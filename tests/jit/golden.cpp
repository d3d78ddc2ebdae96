// jit-golden FILE.wasm IR|ASM: every function of a module as the JIT makes it for any x86-64-v2, in a form that stays the same where code does.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "jit/jit.hpp"

namespace {

/// The IR after the last pass, or the assembly without bytes and offsets.
std::string listing(const std::vector<krait::jit::Stage>& stages, bool assembly) {
  std::string ir, kept;
  for (const krait::jit::Stage& stage : stages) {
    if (stage.name != "x86-64") ir = stage.text;
    if (!assembly || stage.name != "x86-64") continue;
    std::istringstream in(stage.text);
    for (std::string line; std::getline(in, line); kept += '\n') {
      kept += line.substr(krait::jit::OffsetColumns, line.find(';') - krait::jit::OffsetColumns);
      while (kept.ends_with(' ')) kept.pop_back();
    }
  }
  return assembly ? kept : ir;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::ifstream in(argv[1], std::ios::binary);
  std::vector<char> bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  auto module = krait::engine::Module::compile(std::as_bytes(std::span<const char>(bytes)));
  if (!module) {
    std::fprintf(stderr, "%s\n", module.error().to_string().c_str());
    return 1;
  }
  for (uint32_t i = 0; i < (*module)->functions.size(); ++i) {
    std::printf("%s:\n", (*module)->func_name((*module)->imported_funcs + i).c_str());
    std::fputs(listing(krait::jit::stages_of(**module, i, {.baseline = true}), !std::strcmp(argv[2], "ASM")).c_str(), stdout);
  }
}
