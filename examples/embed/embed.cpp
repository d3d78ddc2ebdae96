// Embeds krait: compiles a wasm module, gives it a host function, calls an export, and takes a trap as a value.
//
//   c++ embed.cpp $(pkg-config --cflags --libs krait) -o embed && ./embed
#include <krait/engine/linker.hpp>

#include <cstdio>
#include <span>
#include <string_view>

using namespace krait::engine;

// (module
//   (import "host" "print" (func $print (param i32)))
//   (func (export "average") (param $sum i32) (param $count i32) (result i32)
//     (call $print (local.get $sum))
//     (i32.div_s (local.get $sum) (local.get $count))))
constexpr std::string_view Wasm(
    "\0asm\1\0\0\0"
    "\1\x0b\2\x60\1\x7f\0\x60\2\x7f\x7f\1\x7f"           // types: (i32) -> (), (i32, i32) -> (i32)
    "\2\x0e\1\4host\5print\0\0"                          // import: function 0
    "\3\2\1\1"                                           // function 1 has type 1
    "\7\x0b\1\7average\0\1"                              // export: function 1
    "\x0a\x0d\1\x0b\0\x20\0\x10\0\x20\0\x20\1\x6d\x0b",  // code
    69);

int main() {
  // A module is immutable: compiled once, it is shared by all stores and threads.
  const auto module = Module::compile(std::as_bytes(std::span(Wasm)));
  if (!module) {
    std::fprintf(stderr, "compile: %s\n", module.error().to_string().c_str());
    return 1;
  }

  // The parameters and the result of a host function say its wasm type.
  Linker linker;
  linker.func("host", "print", [](int32_t value) { std::printf("guest says %d\n", value); });

  // A store is one sandbox: it owns its instances, and runs on one thread at a time.
  Store store({.max_memory_pages = 16});
  const auto instance = linker.instantiate(store, *module);
  if (!instance) {
    std::fprintf(stderr, "instantiate: %s\n", instance.error().to_string().c_str());
    return 1;
  }

  FuncInstance& average = *(*instance)->export_func("average");
  for (const int32_t count : {6, 0}) {
    const Outcome<int32_t> result = call<int32_t>(store, average, 252, count);
    if (result)
      std::printf("average: %d\n", *result);
    else
      std::printf("trap: %s\n", result.error().to_string().c_str());
  }
  return 0;
}
