// A store: one sandbox. It owns instances and what they share, and runs calls, one at a time.
//
// Invariants.
//  1. A store is used by one thread at a time, and within it by one line of control (a coroutine, say): a host
//     function may suspend that line, and may call the guest again from it; nothing else may enter meanwhile.
//     interrupt() alone is safe from any thread.
//  2. Guest calls nest: each entry from the host pushes an Activation, and what unwinds stops at the innermost.
//  3. The value stack holds the frames of the interpreter; machine code uses the native stack of the caller.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "engine/instance.hpp"
#include "engine/trap.hpp"

namespace krait::engine {

class Compiler;

struct StoreOptions {
  uint64_t max_memory_pages = MaxPages;       ///< pages of 64 KiB, for each memory
  uint64_t max_table_elements = 10'000'000;   ///< for each table
  uint64_t value_stack_bytes = 16 << 20;      ///< the interpreter's stack; reserved, touched as used
  uint32_t max_call_depth = 20'000;           ///< guest frames of the interpreter
  /// Lowest address of the native stack that guest code may use, or null: 256 KiB above the end of the
  /// thread's stack. Whoever runs a store on a coroutine says where that one's stack ends.
  const std::byte* native_stack_limit = nullptr;
  /// Makes machine code, or null: all is interpreted. Not owned.
  Compiler* compiler = nullptr;
};

/// The interpreter's stack: address space with a guard page at its end, reserved at the first need, since machine code has none.
class ValueStack {
 public:
  explicit ValueStack(uint64_t bytes) : bytes_(bytes) {}
  ~ValueStack();
  ValueStack(const ValueStack&) = delete;
  ValueStack& operator=(const ValueStack&) = delete;
  /// Null where there is no memory for it: every call then ends as an exhausted stack.
  [[nodiscard]] Slot* begin() {
    if (!begin_) [[unlikely]] reserve();
    return begin_;
  }
  [[nodiscard]] Slot* end() const { return end_; }

 private:
  void reserve();

  uint64_t bytes_;
  Slot* begin_ = nullptr;
  Slot* end_ = nullptr;
};

/// An entry into guest code; on the native stack of whoever made it. The interpreter and the compiler
/// keep here what a backtrace needs.
struct Activation {
  Activation* previous = nullptr;
  enum class Kind : uint8_t { Interpreter, Machine } kind = Kind::Interpreter;
  Slot* stack_top = nullptr;   ///< first free slot of the value stack while the guest is outside the interpreter
  void* frame = nullptr;       ///< innermost frame, in the terms of `kind`
  const void* pc = nullptr;    ///< where that frame stands
  uint32_t depth = 0;          ///< frames in this activation
  void* unwind[5] = {};        ///< the compiler's: how to leave the machine code of this activation; [0] is its CodeImage
};

class Store {
 public:
  explicit Store(StoreOptions options = {});
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] const StoreOptions& options() const { return options_; }

  /// Calls a function: slots holds the arguments and takes the results, each laid out slot after slot; it
  /// must have room for both. On a trap the results are unspecified and the store stays usable.
  Outcome<> call(FuncInstance& func, std::span<Slot> slots);

  /// Makes the guest do what `bits` (InterruptBits) say at its next poll. Any thread.
  void interrupt(uint32_t bits);
  /// Forgets what no poll has seen: it was meant for a call that has ended. On the store's line of control.
  void clear_interrupts();
  /// Called by polls, on the guest's line of control.
  std::function<void()> on_yield;
  std::function<Outcome<>()> on_interrupt;
  /// What host functions find the state of this sandbox by; the engine does not touch it.
  void* host_data = nullptr;

  /// Used by running code. ------------------------------------------------------------------------

  /// Sets the trap that is under way; returns false, for `return store.raise(...)` in code that
  /// reports a trap by returning false.
  bool raise(Trap trap);
  bool raise(TrapKind kind) { return raise(Trap::make(kind)); }
  [[nodiscard]] bool trapping() const { return trap_ != nullptr; }
  [[nodiscard]] Trap take_trap();
  /// What the trap under way would throw, or null.
  [[nodiscard]] Exception* pending_exception() const {
    return trap_ && trap_->kind == TrapKind::UncaughtException ? trap_->exception : nullptr;
  }
  /// Acts on the interrupt bits of a context; false if that raised a trap.
  bool poll(Context& context);
  /// As call(), for code that is itself part of a guest call: traps stay raised and return false.
  bool call_raw(FuncInstance& func, Slot* slots);
  /// The outermost frame of the innermost activation calls a wasm function in its own place, and is left: whoever entered the
  /// activation goes on with finish(), so that chains of tail calls between engines and instances take no stack. Returns
  /// false, which ends the activation. The arguments are copied.
  bool tail_call(FuncInstance& func, const Slot* args);
  /// Behind every activation, whose function had its results in `slots`: runs what it left as a tail call.
  bool finish(bool done, Slot* slots) { return done || !tail_callee_ ? done : run_tail_calls(slots); }
  /// Grows a memory and lets the contexts follow. As Memory::grow.
  int64_t grow(Memory& memory, uint64_t delta_pages);
  /// The backtrace of all activations, innermost first, into `trap`.
  void capture_trace(Trap& trap);

  [[nodiscard]] ValueStack& value_stack() { return value_stack_; }
  [[nodiscard]] Activation* activation() const { return activation_; }
  void set_activation(Activation* activation) { activation_ = activation; }
  /// Lowest native stack address for guest code; see StoreOptions. Moves with the line of control.
  void set_native_stack_limit(const std::byte* limit);
  [[nodiscard]] const std::byte* native_stack_limit() const { return native_stack_limit_; }

  /// A new exception, owned by the store; may first free those that no stack, table or global refers to.
  Exception* new_exception(TagInstance* tag, std::span<const Slot> payload);

  /// Owned by the store for its whole life. -----------------------------------------------------------
  FuncInstance* add_host_func(std::shared_ptr<const HostFunction> host);
  Memory* add_memory(std::unique_ptr<Memory> memory);
  TableInstance* add_table(std::unique_ptr<TableInstance> table);
  GlobalInstance* add_global(GlobalType type, GlobalCell value);
  TagInstance* add_tag(FuncType type);
  /// An instance of the empty module: the home of tables that the host makes.
  Instance& host_instance();
  Instance* add_instance(std::unique_ptr<Instance> instance);
  [[nodiscard]] const std::vector<std::unique_ptr<Instance>>& instances() const { return instances_; }

  /// How much the store owns.
  struct Mark {
    size_t instances = 0, memories = 0, tables = 0, globals = 0, tags = 0, hosts = 0;
  };
  [[nodiscard]] Mark mark() const;
  /// Ends what was added since `mark`, and all exceptions. Nothing that stays may refer to it; no call may be under way.
  void release(const Mark& mark);

 private:
  friend class TableInstance;
  void collect_exceptions();
  bool run_tail_calls(Slot* slots);
  bool run(FuncInstance& func, Slot* slots);

  StoreOptions options_;
  const std::byte* native_stack_limit_;
  ValueStack value_stack_;
  Activation* activation_ = nullptr;
  std::unique_ptr<Trap> trap_;
  FuncInstance* tail_callee_ = nullptr;  // between tail_call() and finish()
  std::vector<Slot> tail_slots_;         // its arguments
  std::atomic<uint32_t> pending_interrupts_{0};  // bits that no poll has seen yet, for instances to come
  std::mutex contexts_mutex_;  // guards instances_ against interrupt() from other threads
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<std::unique_ptr<Memory>> memories_;
  std::vector<std::unique_ptr<TableInstance>> tables_;
  std::vector<std::unique_ptr<GlobalInstance>> globals_;
  std::vector<std::unique_ptr<TagInstance>> tags_;
  std::vector<std::unique_ptr<FuncType>> tag_types_;
  std::unordered_map<const HostFunction*, std::unique_ptr<FuncInstance>> host_funcs_;
  std::vector<std::shared_ptr<const HostFunction>> hosts_;
  Instance* host_instance_ = nullptr;
  std::vector<std::unique_ptr<Exception>> exceptions_;
  size_t next_collection_ = 4096;
};

}  // namespace krait::engine
