// A store with one instance, as most tests want it.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "engine/linker.hpp"
#include "tests/support/wat.hpp"

namespace krait::test {

inline std::shared_ptr<const engine::Module> compiled(std::string_view text) {
  auto module = engine::Module::compile(wat(text));
  REQUIRE_MESSAGE(module.ok(), (module ? "" : module.error().to_string()));
  return *module;
}

struct Guest {
  explicit Guest(engine::StoreOptions options = {}) : store(std::move(options)) {}

  engine::Instance& instantiate(std::string_view text) {
    auto made = linker.instantiate(store, compiled(text));
    REQUIRE_MESSAGE(made.ok(), (made ? "" : made.error().to_string()));
    instance = *made;
    return *instance;
  }

  /// Calls an export of the instance made last.
  template <typename R, typename... A>
  engine::Outcome<R> call(const std::string& name, A... args) {
    engine::FuncInstance* func = instance->export_func(name);
    REQUIRE(func);
    return engine::call<R>(store, *func, args...);
  }

  /// The result of a call that is to return.
  template <typename R, typename... A>
  R get(const std::string& name, A... args) {
    engine::Outcome<R> done = call<R>(name, args...);
    REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().to_string()));
    return *done;
  }

  engine::Store store;
  engine::Linker linker;
  engine::Instance* instance = nullptr;
};

/// The trap's kind; a test that expects one fails where there is none.
template <typename T>
engine::TrapKind kind_of(const engine::Outcome<T>& outcome) {
  REQUIRE_FALSE(outcome.ok());
  return outcome.error().kind;
}

}  // namespace krait::test
