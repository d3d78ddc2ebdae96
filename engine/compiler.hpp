// What the engine asks of a compiler. The JIT implements it; the engine knows nothing else of it.
#pragma once

#include <atomic>
#include <memory>

#include "base/result.hpp"
#include "engine/context.hpp"
#include "engine/module.hpp"
#include "engine/trap.hpp"

namespace krait::engine {

struct Activation;

/// `code` of functions and table entries where no compiler is set. Never called.
extern const char InterpreterOnly;

/// Machine code of one module, shared by its instances on all threads.
class CodeImage {
 public:
  virtual ~CodeImage() = default;
  /// The entry of a defined function in the compiler's own convention, or null while there is none.
  [[nodiscard]] virtual const void* entry(uint32_t defined_func) const = 0;
  /// What Context::code points to, one array for all instances: for each defined function its entry, or
  /// Compiler::interpreter_entry() until it has one. Entries change by single stores as codegen goes on, so
  /// copies of them (in tables and FuncInstances) may be out of date: the interpreter's entry, where those
  /// lead, looks here again.
  [[nodiscard]] virtual const void* const* code() const = 0;
  /// Runs a function that has an entry; slots as in Store::call_raw. False when a trap was raised.
  virtual bool enter(Store& store, FuncInstance& func, Slot* slots) const = 0;
  /// Countdowns by defined function, or null where code is complete. The interpreter takes one off at each call and each
  /// turn of a loop, without locks: what threads lose against each other does not matter. Below zero it calls hot().
  [[nodiscard]] virtual std::atomic<int32_t>* heat() const { return nullptr; }
  /// A function whose countdown ran out while the interpreter runs it; sets the countdown anew. `loop` is the byte offset of
  /// the first instruction that is no `block` of the loop in front of which it stands, or NoIndex. Not null: code that goes on from there, for enter_loop.
  virtual const void* hot(uint32_t defined_func, uint32_t loop) const { return nullptr; }
  /// Goes on in machine code: `slots` are the function's locals, then all its operands, in front of the loop, and take the
  /// function's results. False when a trap was raised.
  virtual bool enter_loop(Store& store, Context& context, const void* loop_code, Slot* slots) const { return false; }
  /// Appends the frames of an Activation of kind Machine to `trap`, innermost first.
  virtual void trace(const Activation& activation, Trap& trap) const = 0;
};

class Compiler {
 public:
  virtual ~Compiler() = default;
  /// An image for the module, of which entries may appear later. Any thread.
  virtual std::shared_ptr<CodeImage> image_for(std::shared_ptr<const Module> module) = 0;
  /// Entries that stand in `code` for a function without machine code (it goes to the interpreter), for a host
  /// function, and for a function of another instance in a table.
  [[nodiscard]] virtual const void* interpreter_entry() const = 0;
  [[nodiscard]] virtual const void* host_entry() const = 0;
  [[nodiscard]] virtual const void* foreign_entry() const = 0;
  [[nodiscard]] virtual const void* const* builtins() const = 0;
};

}  // namespace krait::engine
