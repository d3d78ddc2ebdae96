// Errors as values: every boundary of krait returns a Result, none throws.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace krait {

/// What went wrong, for a person: one sentence that says what, where and what to do about it.
struct Error {
  /// Byte offset into the input that `message` speaks of; NoOffset where there is none.
  static constexpr size_t NoOffset = static_cast<size_t>(-1);

  std::string message;
  size_t offset = NoOffset;

  /// The message with its offset, as a tool prints it: "at byte 0x1f: expected ...".
  [[nodiscard]] std::string to_string() const {
    if (offset == NoOffset) return message;
    char text[40];
    std::snprintf(text, sizeof text, "at byte 0x%zx: ", offset);
    return text + message;
  }
};

/// A value or the error that kept it from being made. Ownership: by value.
template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT(implicit)
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}      // NOLINT(implicit)

  explicit operator bool() const { return state_.index() == 0; }
  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  T& operator*() { assert(ok()); return *std::get_if<0>(&state_); }
  const T& operator*() const { assert(ok()); return *std::get_if<0>(&state_); }
  T* operator->() { assert(ok()); return std::get_if<0>(&state_); }
  const T* operator->() const { assert(ok()); return std::get_if<0>(&state_); }
  E& error() { assert(!ok()); return *std::get_if<1>(&state_); }
  const E& error() const { assert(!ok()); return *std::get_if<1>(&state_); }

 private:
  std::variant<T, E> state_;
};

template <typename E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(E error) : error_(std::move(error)) {}  // NOLINT(implicit)

  explicit operator bool() const { return !error_; }
  [[nodiscard]] bool ok() const { return !error_; }
  E& error() { assert(error_); return *error_; }
  const E& error() const { assert(error_); return *error_; }

 private:
  std::optional<E> error_;
};

}  // namespace krait
