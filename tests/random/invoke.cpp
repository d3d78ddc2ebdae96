// invoke: runs a module by a plan and prints what is to be seen of it, as invoke.mjs does in node.
//
//   invoke [--engine interp|jit] MODULE PLAN
//
// A plan's lines: `call NAME ARGUMENT... [-> TYPE]`, arguments as type:bits (i32:0x7); node needs the result's type.
// Printed: why there is no instance, or a line for each value that the module logs and each call's results or class of
// trap, then exported globals and memories.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "engine/linker.hpp"
#include "tests/support/compiler.hpp"
#include "tests/support/file.hpp"

namespace {

using namespace krait::engine;

/// Traps as far as engines tell them apart in their messages.
const char* class_of(TrapKind kind) {
  switch (kind) {
    case TrapKind::IntegerOverflow:
    case TrapKind::InvalidConversion: return "unrepresentable";
    case TrapKind::UninitializedElement:
    case TrapKind::IndirectCallTypeMismatch: return "signature mismatch";
    default: return text_of(kind);
  }
}

/// NaNs are one value: the spec leaves their bits open.
std::string to_text(ValType type, const Slot* slots) {
  const uint64_t bits = *slots;
  const bool nan = (type == ValType::F32 && (bits & 0x7fff'ffff) > 0x7f80'0000) ||
                   (type == ValType::F64 && (bits & ~(uint64_t{1} << 63)) > 0x7ff0'0000'0000'0000);
  char text[64];
  if (nan) return std::string(name_of(type)) + ":nan";
  if (is_reference(type)) return std::string(name_of(type)) + (bits ? ":set" : ":null");
  if (type == ValType::V128)
    std::snprintf(text, sizeof text, "v128:0x%016lx%016lx", slots[1], slots[0]);
  else
    std::snprintf(text, sizeof text, "%s:0x%lx", name_of(type), bits);
  return text;
}

std::string to_text(const std::vector<ValType>& types, const Slot* slots) {
  std::string text;
  for (ValType type : types) {
    text += (text.empty() ? "" : " ") + to_text(type, slots);
    slots += slots_of(type);
  }
  return text.empty() ? "-" : text;
}

void log(ValType type, Slot bits) { std::printf("log %s\n", to_text(type, &bits).c_str()); }

void define_support(Linker& linker) {
  const char* module = "fuzzing-support";
  linker.func(module, "log-i32", [](uint32_t v) { log(ValType::I32, v); });
  linker.func(module, "log-i64", [](uint64_t v) { log(ValType::I64, v); });
  linker.func(module, "log-f32", [](float v) { log(ValType::F32, std::bit_cast<uint32_t>(v)); });
  linker.func(module, "log-f64", [](double v) { log(ValType::F64, std::bit_cast<uint64_t>(v)); });
  // JavaScript has no v128: there the call is a TypeError.
  linker.func(module, "log-v128", [](V128) -> Outcome<> { return Trap::make(TrapKind::Host); });
}

void run_plan(Store& store, Instance& instance, std::istream& plan) {
  for (std::string line; std::getline(plan, line);) {
    std::istringstream words(line);
    std::string verb, name, argument;
    words >> verb >> name;
    std::vector<Slot> slots;
    while (words >> argument && argument != "->") slots.push_back(std::stoull(argument.substr(argument.find(':') + 1), nullptr, 16));
    FuncInstance* func = instance.export_func(name);
    if (!func || func->type->param_slots != slots.size()) {
      std::printf("%s: no such function\n", name.c_str());
      continue;
    }
    slots.resize(std::max<size_t>(slots.size(), func->type->result_slots));
    const Outcome<> done = store.call(*func, slots);
    const std::string got =
        done ? to_text(func->type->results, slots.data()) : "trap: " + std::string(class_of(done.error().kind));
    std::printf("%s: %s\n", name.c_str(), got.c_str());
  }
}

/// FNV-1a, the 32-bit one.
uint32_t hash_of(std::span<const std::byte> bytes) {
  uint32_t hash = 0x811c9dc5;
  for (std::byte b : bytes) hash = (hash ^ static_cast<uint32_t>(b)) * 0x01000193;
  return hash;
}

void print_state(Instance& instance) {
  for (const Export& item : instance.module().exports) {
    if (item.kind == ExternKind::Global) {
      const GlobalInstance& global = instance.global(item.index);
      std::printf("global %s %s\n", item.name.c_str(), to_text(global.type.type, &global.cell.low).c_str());
    } else if (item.kind == ExternKind::Memory) {
      const auto bytes = instance.memory(item.index).bytes();
      std::printf("memory %s %zu bytes, hash %08x\n", item.name.c_str(), bytes.size(), hash_of(bytes));
    }
  }
}

int fail(const std::string& why) {
  std::fprintf(stderr, "invoke: %s\n", why.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs a module by a plan; see the head of invoke.cpp."};
  std::string engine = "interp", module_path, plan_path;
  app.add_option("--engine", engine, "interp or jit");
  app.add_option("module", module_path)->required();
  app.add_option("plan", plan_path)->required();
  CLI11_PARSE(app, argc, argv);

  const auto compiler = krait::test::compiler_named(engine);
  if (!compiler) return fail(compiler.error().message);
  auto bytes = krait::test::read_file(module_path);
  if (!bytes) return fail(bytes.error().message);
  const auto module = Module::compile(std::move(*bytes));
  if (!module) {
    std::printf("rejected: %s\n", module.error().to_string().c_str());
    return 0;
  }
  Store store({.compiler = compiler->get()});
  Linker linker;
  define_support(linker);
  const auto instance = linker.instantiate(store, *module);
  if (!instance) {
    const InstantiateError& error = instance.error();
    const bool ran = error.stage == InstantiateError::Stage::Run;
    std::printf("instantiate: %s\n", ran ? ("trap: " + std::string(class_of(error.trap.kind))).c_str()
                                        : error.link.to_string().c_str());
    return 0;
  }
  std::ifstream plan(plan_path);
  run_plan(store, **instance, plan);
  print_state(**instance);
  return 0;
}
