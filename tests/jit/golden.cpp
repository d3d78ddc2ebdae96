// jit-golden FILE.wasm IR|ASM: every function of a module as the JIT makes it, in a form that stays the same where code does.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "jit/jit.hpp"

namespace {

/// Keeps the IR after the last pass, or the assembly without its bytes.
std::string part_of(const std::string& listing, bool assembly) {
  std::istringstream in(listing);
  std::string line, kept;
  bool keep = true;
  while (std::getline(in, line)) {
    if (line.ends_with(':') && !line.starts_with(' ') && line != "x86-64:" && line.find("after ") == 0) kept.clear(), keep = !assembly;
    if (line == "built:") keep = !assembly;
    if (line == "x86-64:") {
      keep = assembly;
      if (assembly) kept.clear();
      continue;
    }
    if (line == "built:" || line.starts_with("after ")) continue;
    if (!keep) continue;
    const size_t bytes = assembly ? line.find(';') : std::string::npos;
    kept += line.substr(0, bytes);
    while (kept.ends_with(' ')) kept.pop_back();
    kept += '\n';
  }
  return kept;
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
    std::fputs(part_of(krait::jit::disassemble(**module, i, {}), !std::strcmp(argv[2], "ASM")).c_str(), stdout);
  }
}
