// Host functions, typed at compile time from C++ signatures, and typed calls into the guest.
//
// A host function is any callable whose parameters are wasm values, the first one optionally a Caller&:
//   int32_t, uint32_t = i32   int64_t, uint64_t = i64   float, double = f32, f64
//   V128 = v128   FuncInstance* = funcref   ExternRef = externref   Exception* = exnref
// It returns void, one of these, a std::tuple of them, or an Outcome of one of those when it may trap. It may
// suspend the coroutine that it runs on, and may call into the guest again.
#pragma once

#include <bit>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "engine/store.hpp"

namespace krait::engine {

struct V128 {
  uint64_t low = 0, high = 0;
  bool operator==(const V128&) const = default;
};

/// An opaque value of the host, or null.
struct ExternRef {
  Ref raw = 0;
  static ExternRef of(uint64_t value) { return {value + 1}; }
  [[nodiscard]] bool is_null() const { return raw == 0; }
  [[nodiscard]] uint64_t value() const { return raw - 1; }
  bool operator==(const ExternRef&) const = default;
};

/// Who called a host function. Valid during that call.
class Caller {
 public:
  Caller(Store& store, Context* context) : store_(store), context_(context) {}
  [[nodiscard]] Store& store() const { return store_; }
  /// The calling instance; null when the host called the function itself.
  [[nodiscard]] Instance* instance() const { return context_ ? context_->instance : nullptr; }
  /// Memory 0 of the calling instance; null where it has none.
  [[nodiscard]] Memory* memory() const { return context_ && context_->memories ? context_->memories[0] : nullptr; }
  /// `length` bytes of memory 0 at `address`, or an empty optional when they are not all inside.
  [[nodiscard]] std::optional<std::span<std::byte>> bytes(uint32_t address, uint64_t length) const {
    Memory* m = memory();
    if (!m || !m->contains(address, length)) return std::nullopt;
    return std::span<std::byte>(m->base() + address, length);
  }

 private:
  Store& store_;
  Context* context_;
};

/// A host function, independent of any store; immutable and shared by them.
struct HostFunction {
  std::string module, name;
  FuncType type;
  /// Reads the arguments from `slots` and writes the results there; false when it raised a trap in the store.
  bool (*invoke)(const HostFunction& self, Caller& caller, Slot* slots) = nullptr;
  std::shared_ptr<void> callable;
};

namespace detail {

template <typename T>
struct Wasm;
#define KRAIT_WASM_VALUE(cpp, type, to_slot, from_slot)       \
  template <>                                                 \
  struct Wasm<cpp> {                                          \
    static constexpr ValType Type = ValType::type;            \
    static void put(Slot* s, cpp v) { *s = to_slot; }         \
    static cpp get(const Slot* s) { return from_slot; }       \
  };
KRAIT_WASM_VALUE(int32_t, I32, static_cast<uint32_t>(v), static_cast<int32_t>(*s))
KRAIT_WASM_VALUE(uint32_t, I32, v, static_cast<uint32_t>(*s))
KRAIT_WASM_VALUE(int64_t, I64, static_cast<uint64_t>(v), static_cast<int64_t>(*s))
KRAIT_WASM_VALUE(uint64_t, I64, v, *s)
KRAIT_WASM_VALUE(float, F32, std::bit_cast<uint32_t>(v), std::bit_cast<float>(static_cast<uint32_t>(*s)))
KRAIT_WASM_VALUE(double, F64, std::bit_cast<uint64_t>(v), std::bit_cast<double>(*s))
KRAIT_WASM_VALUE(FuncInstance*, FuncRef, reinterpret_cast<Ref>(v), reinterpret_cast<FuncInstance*>(*s))
KRAIT_WASM_VALUE(Exception*, ExnRef, reinterpret_cast<Ref>(v), reinterpret_cast<Exception*>(*s))
KRAIT_WASM_VALUE(ExternRef, ExternRef, v.raw, krait::engine::ExternRef{*s})
#undef KRAIT_WASM_VALUE
template <>
struct Wasm<V128> {
  static constexpr ValType Type = ValType::V128;
  static void put(Slot* s, V128 v) { s[0] = v.low, s[1] = v.high; }
  static V128 get(const Slot* s) { return {s[0], s[1]}; }
};

/// Slot offset of element I of a value list.
template <typename... T>
constexpr std::array<uint32_t, sizeof...(T) + 1> slot_offsets() {
  std::array<uint32_t, sizeof...(T) + 1> offsets{};
  uint32_t i = 0, at = 0;
  ((offsets[i++] = at, at += slots_of(Wasm<T>::Type)), ...);
  offsets[i] = at;
  return offsets;
}

template <typename R>
struct Results {  // a single value
  static void types(std::vector<ValType>& out) { out.push_back(Wasm<R>::Type); }
  static void put(Slot* s, const R& r) { Wasm<R>::put(s, r); }
  static R get(const Slot* s) { return Wasm<R>::get(s); }
};
template <typename... T>
struct Results<std::tuple<T...>> {
  static void types(std::vector<ValType>& out) { (out.push_back(Wasm<T>::Type), ...); }
  static void put(Slot* s, const std::tuple<T...>& r) {
    constexpr auto At = slot_offsets<T...>();
    [&]<size_t... I>(std::index_sequence<I...>) { (Wasm<T>::put(s + At[I], std::get<I>(r)), ...); }
    (std::index_sequence_for<T...>{});
  }
  static std::tuple<T...> get(const Slot* s) {
    constexpr auto At = slot_offsets<T...>();
    return [&]<size_t... I>(std::index_sequence<I...>) { return std::tuple<T...>{Wasm<T>::get(s + At[I])...}; }
    (std::index_sequence_for<T...>{});
  }
};
template <>
struct Results<void> {
  static void types(std::vector<ValType>&) {}
  static void get(const Slot*) {}
};

template <typename R>
struct IsOutcome : std::false_type { using Value = R; };
template <typename R>
struct IsOutcome<Result<R, Trap>> : std::true_type { using Value = R; };

template <typename F, typename R, bool WithCaller, typename... A>
std::shared_ptr<const HostFunction> make_host(std::string module, std::string name, F f) {
  using Value = typename IsOutcome<R>::Value;
  auto host = std::make_shared<HostFunction>();
  host->module = std::move(module);
  host->name = std::move(name);
  (host->type.params.push_back(Wasm<A>::Type), ...);
  Results<Value>::types(host->type.results);
  host->type.param_slots = slots_of(host->type.params);
  host->type.result_slots = slots_of(host->type.results);
  host->callable = std::make_shared<F>(std::move(f));
  host->invoke = [](const HostFunction& self, Caller& caller, Slot* slots) -> bool {
    F& call = *static_cast<F*>(self.callable.get());
    constexpr auto At = slot_offsets<A...>();
    auto run = [&]<size_t... I>(std::index_sequence<I...>) -> R {
      if constexpr (WithCaller) return call(caller, Wasm<A>::get(slots + At[I])...);
      else return call(Wasm<A>::get(slots + At[I])...);
    };
    constexpr auto Indices = std::index_sequence_for<A...>{};
    if constexpr (IsOutcome<R>::value) {
      R outcome = run(Indices);
      if (!outcome) return caller.store().raise(std::move(outcome.error()));
      if constexpr (!std::is_void_v<Value>) Results<Value>::put(slots, *outcome);
    } else if constexpr (std::is_void_v<R>) {
      run(Indices);
    } else {
      Results<R>::put(slots, run(Indices));
    }
    return true;
  };
  return host;
}

template <typename F>
struct Signature : Signature<decltype(&F::operator())> {};
template <typename C, typename R, typename... A>
struct Signature<R (C::*)(A...) const> : Signature<R (*)(A...)> {};
template <typename C, typename R, typename... A>
struct Signature<R (C::*)(A...)> : Signature<R (*)(A...)> {};
template <typename R, typename... A>
struct Signature<R (*)(A...)> {
  template <typename F>
  static auto make(std::string m, std::string n, F f) {
    return make_host<F, R, false, A...>(std::move(m), std::move(n), std::move(f));
  }
};
template <typename R, typename... A>
struct Signature<R (*)(Caller&, A...)> {
  template <typename F>
  static auto make(std::string m, std::string n, F f) {
    return make_host<F, R, true, A...>(std::move(m), std::move(n), std::move(f));
  }
};

}  // namespace detail

/// A host function from a callable; see the head of this file for the types it may have.
template <typename F>
std::shared_ptr<const HostFunction> host_function(std::string module, std::string name, F f) {
  return detail::Signature<F>::make(std::move(module), std::move(name), std::move(f));
}

/// Calls an export with C++ values: `call<int32_t>(store, *f, 1, 2)`, `call<void>(...)`, `call<std::tuple<...>>(...)`.
/// A signature that is not the function's own is a Trap of kind Host that names both.
template <typename R, typename... A>
Outcome<R> call(Store& store, FuncInstance& func, A... args) {
  FuncType want;
  (want.params.push_back(detail::Wasm<A>::Type), ...);
  detail::Results<R>::types(want.results);
  if (!(want == *func.type))
    return Trap::make(TrapKind::Host, "called as " + want.to_string() + ", but the function is " + func.type->to_string());
  [[maybe_unused]] constexpr auto At = detail::slot_offsets<A...>();
  std::vector<Slot> slots(std::max<size_t>({func.type->param_slots, func.type->result_slots, 1}));
  size_t i = 0;
  (detail::Wasm<A>::put(slots.data() + At[i++], args), ...);
  Outcome<> done = store.call(func, slots);
  if (!done) return std::move(done.error());
  if constexpr (std::is_void_v<R>) return {};
  else return detail::Results<R>::get(slots.data());
}

}  // namespace krait::engine
