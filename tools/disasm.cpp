// krait disasm: one function as wasm, as IR after each pass, and as machine code.
#include "engine/disasm.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "tools/cli.hpp"

#if KRAIT_JIT
#include "jit/jit.hpp"
#endif

namespace krait::tools {
namespace {

using engine::Module;

constexpr const char* Footer = R"(Shows a function, by name or index, in all its stages: the wasm text, the JIT's IR as built and after each pass, and
the x86-64 code with wasm offsets on the left, those that backtraces give. A pass named by --pass shows that stage alone: wasm, built,
one of the passes, or x86-64.

Examples:
  krait disasm module.wasm main
  krait disasm module.wasm 12 --pass x86-64
  krait disasm --python PyObject_RichCompare)";

struct Options {
  std::vector<std::string> words;
  bool python = false;
  std::string pass;
};

/// Letters to insert, delete or change on the way from one word to the other.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// Names that may have been meant, the likeliest first: those with the word in them, then those that are spelt nearly so.
std::vector<std::string> near_names(const Module& module, const std::string& word) {
  std::vector<std::pair<size_t, std::string>> ranked;
  for (uint32_t i = 0; i < module.func_types.size(); ++i) {
    std::string name = module.func_name(i);
    const size_t rank = name.find(word) != name.npos ? name.size() - word.size() : 1000 + distance(name, word);
    if (rank < 1000 || rank <= 1000 + std::max<size_t>(2, word.size() / 3)) ranked.emplace_back(rank, std::move(name));
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> names;
  for (const auto& [rank, name] : ranked)
    if (names.size() < 5 && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

Result<uint32_t> find_function(const Module& module, const std::string& word) {
  for (uint32_t i = 0; i < module.func_types.size(); ++i)
    if (module.func_name(i) == word) return i;
  uint32_t index = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), index);
  if (parsed.ec == std::errc() && parsed.ptr == word.data() + word.size()) {
    if (index < module.func_types.size()) return index;
    return Error{"there is no function " + word + ": the module has " + std::to_string(module.func_types.size()) + ", from 0 on"};
  }
  std::string message = "there is no function '" + word + "'";
  const std::vector<std::string> near = near_names(module, word);
  for (size_t i = 0; i < near.size(); ++i) message += (i ? ", " : "; there is ") + near[i];
  return Error{message + (near.empty() ? "; give a name of its name section, or an index" : "")};
}

/// Each stage behind its title; with `pass`, that one alone and no title.
int print(const Module& module, uint32_t func, const std::string& pass) {
  std::vector<std::pair<std::string, std::string>> stages = {{"wasm", engine::disassemble(module, func)}};
#if KRAIT_JIT
  if (jit::supported() && func >= module.imported_funcs)
    for (jit::Stage& stage : jit::stages_of(module, func - module.imported_funcs, {}))
      stages.emplace_back(std::move(stage.name), std::move(stage.text));
#endif
  bool any = false;
  std::string names;
  for (const auto& [name, text] : stages) {
    names += (names.empty() ? "" : ", ") + name;
    if (!pass.empty() && name != pass) continue;
    if (pass.empty()) std::printf("%s-- %s\n", any ? "\n" : "", name.c_str());
    std::fputs(text.c_str(), stdout);
    any = true;
  }
  return any ? Success : fail("no stage is called '" + pass + "': there is " + names, UsageError);
}

int disasm(const Options& options) {
  if (options.words.size() != (options.python ? 1 : 2))
    return fail("disasm: give MODULE FUNC, or --python FUNC (see krait disasm --help)", UsageError);
  std::string path = options.words[0];
  if (options.python) {
    const auto runtime = find_runtime();
    if (!runtime) return fail(runtime.error().message);
    path = runtime->reactor.string();
  }
  const auto bytes = read_input(path);
  if (!bytes) return fail(bytes.error().to_string());
  const auto module = Module::compile(std::span<const std::byte>(*bytes));
  if (!module) return fail(path + ": " + module.error().to_string());
  const auto func = find_function(**module, options.words.back());
  if (!func) return fail(path + ": " + func.error().message);
  return print(**module, *func, options.pass);
}

}  // namespace

void add_disasm(CLI::App& app, int& status) {
  CLI::App* verb = app.add_subcommand("disasm", "Show what becomes of a function");
  const auto options = std::make_shared<Options>();
  verb->add_option("MODULE FUNC", options->words, "A wasm module, and a function's name or index")->expected(1, 2);
  verb->add_flag("--python", options->python, "A function of the Python runtime");
  verb->add_option("--pass", options->pass, "Only this stage")->type_name("NAME");
  verb->footer(Footer);
  verb->callback([options, &status] { status = disasm(*options); });
}

}  // namespace krait::tools
