// A callable to be run once: what spawn and post take.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace krait::io {

/// A `void()` callable, moved and never copied, so that it may own promises, sockets and the like.
/// Up to 48 bytes of captures stay inline; more go to the heap. The callable must not throw.
/// Thread-safety: that of its captures.
class Closure {
 public:
  Closure() = default;
  template <typename F>
  requires(!std::is_same_v<std::decay_t<F>, Closure> && std::is_invocable_v<F&>)
      Closure(F&& callable) {  // NOLINT(implicit)
    using Callable = std::decay_t<F>;
    if constexpr (sizeof(Callable) <= InlineSize &&
                  alignof(Callable) <= alignof(std::max_align_t) &&
                  std::is_nothrow_move_constructible_v<Callable>) {
      ::new (storage_) Callable(std::forward<F>(callable));
      actions_ = &InlineActions<Callable>;
    } else {
      ::new (storage_) Callable*(new Callable(std::forward<F>(callable)));
      actions_ = &HeapActions<Callable>;
    }
  }
  Closure(Closure&& other) noexcept { take(other); }
  Closure& operator=(Closure&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~Closure() { reset(); }

  explicit operator bool() const { return actions_ != nullptr; }
  void operator()() noexcept { actions_->call(storage_); }
  void reset() {
    if (actions_) std::exchange(actions_, nullptr)->destroy(storage_);
  }

 private:
  static constexpr size_t InlineSize = 48;
  struct Actions {
    void (*call)(void*);
    void (*move)(void* from, void* to);  // leaves nothing to destroy in `from`
    void (*destroy)(void*);
  };
  template <typename T>
  static constexpr Actions InlineActions = {[](void* self) { (*static_cast<T*>(self))(); },
                                            [](void* from, void* to) {
                                              ::new (to) T(std::move(*static_cast<T*>(from)));
                                              static_cast<T*>(from)->~T();
                                            },
                                            [](void* self) { static_cast<T*>(self)->~T(); }};
  template <typename T>
  static constexpr Actions HeapActions = {
      [](void* self) { (**static_cast<T**>(self))(); },
      [](void* from, void* to) { ::new (to) T*(*static_cast<T**>(from)); },
      [](void* self) { delete *static_cast<T**>(self); }};

  void take(Closure& other) {
    actions_ = std::exchange(other.actions_, nullptr);
    if (actions_) actions_->move(other.storage_, storage_);
  }

  const Actions* actions_ = nullptr;
  alignas(std::max_align_t) unsigned char storage_[InlineSize];
};

}  // namespace krait::io
