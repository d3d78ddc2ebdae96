#include "tests/spec/spectest.hpp"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace krait::spec {

namespace {

using namespace std::string_view_literals;

// (module
//   (table (export "table") 10 20 funcref)
//   (memory (export "memory") 1 2)
//   (memory (export "shared_memory") 1 2 shared)
//   (global (export "global_i32") i32 (i32.const 666))
//   (global (export "global_i64") i64 (i64.const 666))
//   (global (export "global_f32") f32 (f32.const 666.6))
//   (global (export "global_f64") f64 (f64.const 666.6)))
constexpr std::string_view Bytes =
    "\0asm\1\0\0\0"
    "\4\5\1\x70\1\x0a\x14"
    "\5\7\2\1\1\2\3\1\2"
    "\6\x21\4\x7f\0\x41\x9a\5\x0b\x7e\0\x42\x9a\5\x0b"
    "\x7d\0\x43\x66\xa6\x26\x44\x0b\x7c\0\x44\xcd\xcc\xcc\xcc\xcc\xd4\x84\x40\x0b"
    "\7\x56\7\5table\1\0\6memory\2\0\xdshared_memory\2\1"
    "\x0aglobal_i32\3\0\x0aglobal_i64\3\1\x0aglobal_f32\3\2\x0aglobal_f64\3\3"sv;

void require(bool ok, const std::string& why) {
  if (ok) return;
  std::fprintf(stderr, "spectest: %s\n", why.c_str());
  std::abort();
}

}  // namespace

void define_spectest(engine::Linker& linker, engine::Store& store) {
  const auto module = engine::Module::compile(std::as_bytes(std::span(Bytes)));
  require(module.ok(), module ? "" : module.error().to_string());
  const auto instance = linker.instantiate(store, *module);
  require(instance.ok(), instance ? "" : instance.error().to_string());
  linker.define_instance("spectest", **instance);

  linker.func("spectest", "print", [] {});
  linker.func("spectest", "print_i32", [](int32_t) {});
  linker.func("spectest", "print_i64", [](int64_t) {});
  linker.func("spectest", "print_f32", [](float) {});
  linker.func("spectest", "print_f64", [](double) {});
  linker.func("spectest", "print_i32_f32", [](int32_t, float) {});
  linker.func("spectest", "print_f64_f64", [](double, double) {});
}

}  // namespace krait::spec
