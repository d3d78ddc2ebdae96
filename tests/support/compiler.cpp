#include "tests/support/compiler.hpp"

#include <string>

#include "jit/jit.hpp"

namespace krait::test {
namespace {

/// "registers=4,seed=7,without=gvn,without=fold,odd": `odd` leaves every other function to the interpreter,
/// `background` and `inplace` make code behind running code (hot=N: of what ran N times).
Result<jit::Options> options_from(std::string_view text) {
  jit::Options options;
  options.verify = true;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string item(text.substr(0, comma));
    text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
    const size_t equals = item.find('=');
    const std::string key = item.substr(0, equals), value = equals == item.npos ? "" : item.substr(equals + 1);
    if (key == "registers") options.registers = static_cast<uint32_t>(std::stoul(value));
    else if (key == "seed") options.seed = std::stoull(value);
    else if (key == "threads") options.threads = static_cast<uint32_t>(std::stoul(value));
    else if (key == "without") options.disable.push_back(value);
    else if (key == "odd") options.decline = [](uint32_t func) { return func % 2 == 1; };
    else if (key == "even") options.decline = [](uint32_t func) { return func % 2 == 0; };
    else if (key == "baseline") options.baseline = true;
    else if (key == "perf") options.perf_map = true;
    else if (key == "gdb") options.gdb = true;
    else if (key == "background") options.codegen = jit::Codegen::Behind, options.hot = 1;
    else if (key == "inplace") options.codegen = jit::Codegen::InPlace, options.hot = 1;
    else if (key == "hot") options.hot = static_cast<uint32_t>(std::stoul(value));
    else return Error{"the JIT has no option '" + key + "'"};
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<engine::Compiler>> compiler_named(std::string_view engine) {
  if (engine == "interp") return std::unique_ptr<engine::Compiler>();
  if (engine.substr(0, 3) == "jit" && (engine.size() == 3 || engine[3] == ':')) {
    auto options = options_from(engine.size() == 3 ? "" : engine.substr(4));
    if (!options) return options.error();
    if (auto compiler = jit::make_compiler(*options)) return compiler;
    return Error{"the JIT has no code for this machine"};
  }
  return Error{"no engine is called '" + std::string(engine) + "'; this build has: interp, jit, jit:OPTIONS"};
}

}  // namespace krait::test
