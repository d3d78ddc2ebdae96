// What the module "krait" has for shared libraries and ctypes (guest/krait_dynlink.h): loading and linking, symbols, and calls of
// functions by a type that is known at run time only.
#include <algorithm>
#include <cstring>

#include "engine/linker.hpp"
#include "pyhost/call_sandbox.hpp"
#include "pyhost/dynlink/loader.hpp"

namespace krait::pyhost {

using engine::Caller;
using engine::FuncInstance;
using engine::FuncType;
using engine::Outcome;
using engine::Slot;
using engine::Trap;
using engine::ValType;

namespace {

constexpr uint32_t MostNeeded = 256, MostArguments = 1000;

int32_t refuse(Caller& caller, std::string why) {
  CallSandbox::of(caller).message = std::move(why);
  return -1;
}

Loader* loader_of(Caller& caller) {
  Loader* loader = CallSandbox::of(caller).loader;
  if (!loader) refuse(caller, "shared libraries cannot be loaded here");
  return loader;
}

Outcome<int32_t> load(Caller& caller, uint32_t bytes, uint32_t size, uint32_t name, uint32_t name_len, uint32_t wants) {
  const auto from = caller.bytes(bytes, size), called = caller.bytes(name, name_len), to = caller.bytes(wants, 4 * sizeof(uint32_t));
  if (!from || !called || !to) return outside_memory("dl_load");
  Loader* loader = loader_of(caller);
  if (!loader) return -1;
  const auto number = loader->load(*from, as_text(*called));
  if (!number) return refuse(caller, number.error().message);
  const SideModule& side = *loader->side(*number);
  const uint32_t numbers[] = {side.memory_bytes, side.memory_alignment, static_cast<uint32_t>(side.needed.size()), loader->table_size()};
  std::memcpy(to->data(), numbers, sizeof numbers);
  return static_cast<int32_t>(*number);
}

Outcome<int32_t> needed(Caller& caller, uint32_t number, uint32_t index, uint32_t ptr, uint32_t length) {
  Loader* loader = loader_of(caller);
  const SideModule* side = loader ? loader->side(number) : nullptr;
  if (!side || index >= side->needed.size()) return -1;
  const std::string& name = side->needed[index];
  const size_t n = std::min<size_t>(name.size(), length);
  const auto to = caller.bytes(ptr, n);
  if (!to) return outside_memory("dl_needed");
  if (n != 0) std::memcpy(to->data(), name.data(), n);
  return static_cast<int32_t>(name.size());
}

Outcome<int32_t> link(Caller& caller, uint32_t number, uint32_t memory_base, uint32_t others, uint32_t count, int32_t global) {
  const auto from = caller.bytes(others, uint64_t{count} * sizeof(uint32_t));
  if (!from || count > MostNeeded) return outside_memory("dl_link");
  std::vector<uint32_t> numbers(count);
  if (count != 0) std::memcpy(numbers.data(), from->data(), from->size());
  Loader* loader = loader_of(caller);
  if (!loader) return -1;
  const auto linked = loader->link(number, memory_base, numbers, global != 0);
  return linked ? 0 : refuse(caller, linked.error().message);
}

Outcome<int32_t> symbol(Caller& caller, uint32_t number, uint32_t name, uint32_t name_len, uint32_t result) {
  const auto called = caller.bytes(name, name_len), to = caller.bytes(result, sizeof(uint32_t));
  if (!called || !to) return outside_memory("dl_symbol");
  Loader* loader = loader_of(caller);
  if (!loader) return -1;
  const auto address = loader->symbol(number, std::string(as_text(*called)));
  if (!address) return refuse(caller, address.error().message);
  std::memcpy(to->data(), &*address, sizeof(uint32_t));
  return 0;
}

// Calls by a type known at run time -------------------------------------------------------------------------------

/// The letters of a type: the result's (v: none), then the parameters'.
char letter_of(ValType type) {
  switch (type) {
    case ValType::I32: return 'i';
    case ValType::I64: return 'l';
    case ValType::F32: return 'f';
    case ValType::F64: return 'd';
    default: return '?';
  }
}

std::string letters_of(const FuncType& type) {
  std::string letters(1, type.results.empty() ? 'v' : type.results.size() == 1 ? letter_of(type.results[0]) : '?');
  for (const ValType param : type.params) letters.push_back(letter_of(param));
  return letters;
}

std::string spelled(std::string_view letters) {
  const auto word = [](char letter) -> std::string {
    return letter == 'i' ? "i32" : letter == 'l' ? "i64" : letter == 'f' ? "f32" : letter == 'd' ? "f64" : letter == 'v' ? "nothing" : "?";
  };
  std::string text = "(";
  for (size_t i = 1; i < letters.size(); ++i) text += (i > 1 ? ", " : "") + word(letters[i]);
  return text + ") -> " + word(letters.empty() ? '?' : letters[0]);
}

/// As C programs get away with elsewhere: arguments too many are dropped, a result that nobody asks for too; one that there is
/// not is 0. All else has to be as it is declared.
bool callable_as(std::string_view have, std::string_view want) {
  const bool result = have[0] == want[0] || want[0] == 'v' || have[0] == 'v';
  return result && have.size() <= want.size() && have.substr(1) == want.substr(1, have.size() - 1) && have.find('?') == have.npos;
}

Outcome<int32_t> func_type(Caller& caller, uint32_t index, uint32_t ptr, uint32_t length) {
  Loader* loader = loader_of(caller);
  const FuncInstance* func = loader ? loader->function_at(index) : nullptr;
  if (!func) return -1;
  const std::string letters = letters_of(*func->type);
  const size_t n = std::min<size_t>(letters.size(), length);
  const auto to = caller.bytes(ptr, n);
  if (!to) return outside_memory("func_type");
  if (n != 0) std::memcpy(to->data(), letters.data(), n);
  return static_cast<int32_t>(letters.size());
}

Outcome<int32_t> ffi_call(Caller& caller, uint32_t index, uint32_t type, uint32_t type_len, uint32_t values) {
  const auto letters = caller.bytes(type, type_len), slots = caller.bytes(values, sizeof(Slot) * uint64_t{std::max(type_len, 2u) - 1});
  if (!letters || !slots || type_len == 0 || type_len > MostArguments + 1) return outside_memory("ffi_call");
  const std::string want(as_text(*letters));  // a copy: the guest's memory is its own again during the call
  Loader* loader = loader_of(caller);
  if (!loader) return -1;
  FuncInstance* func = loader->function_at(index);
  if (!func) return refuse(caller, "there is no function at this address");
  const std::string have = letters_of(*func->type);
  if (!callable_as(have, want)) return refuse(caller, "the function is " + spelled(have) + ", but is called as " + spelled(want));
  std::vector<Slot> frame(std::max<size_t>(have.size(), 2));
  std::memcpy(frame.data(), slots->data(), (have.size() - 1) * sizeof(Slot));
  for (size_t i = 1; i < have.size(); ++i)
    if (have[i] == 'i' || have[i] == 'f') frame[i - 1] &= 0xffffffff;
  if (auto done = caller.store().call(*func, frame); !done) return std::move(done.error());
  if (want[0] == 'v') return 0;
  if (have[0] == 'v') frame[0] = 0;
  std::memcpy(slots->data(), frame.data(), sizeof(Slot));
  return 0;
}

}  // namespace

void define_dynlink(engine::Linker& linker) {
  linker.func("krait", "dl_load", &load);
  linker.func("krait", "dl_needed", &needed);
  linker.func("krait", "dl_link", &link);
  linker.func("krait", "dl_symbol", &symbol);
  linker.func("krait", "func_type", &func_type);
  linker.func("krait", "ffi_call", &ffi_call);
}

}  // namespace krait::pyhost
