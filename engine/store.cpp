// Stores: calls, interrupts, traps, and the lifetime of what instances share.
#include "engine/store.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <utility>

#include "engine/compiler.hpp"
#include "engine/host.hpp"
#include "engine/interp.hpp"

namespace krait::engine {
namespace {

/// Native stack that host functions and signal handlers keep for themselves.
constexpr size_t NativeReserve = 256 << 10;

const std::byte* find_thread_stack_limit() {
  pthread_attr_t attributes;
  void* low = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return nullptr;
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  return static_cast<const std::byte*>(low) + NativeReserve;
}

/// Kept: for a main thread it is found by reading all of /proc/self/maps.
const std::byte* thread_stack_limit() {
  thread_local const std::byte* const limit = find_thread_stack_limit();
  return limit;
}

}  // namespace

void ValueStack::reserve() {
  constexpr uint64_t Guard = 4096;
  const uint64_t bytes = (std::max<uint64_t>(bytes_, 65536) + Guard - 1) / Guard * Guard;
  void* at = mmap(nullptr, bytes + Guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  begin_ = static_cast<Slot*>(at);
  end_ = begin_ + bytes / sizeof(Slot);
  mprotect(end_, Guard, PROT_NONE);
}

ValueStack::~ValueStack() {
  if (begin_) munmap(begin_, static_cast<size_t>(end_ - begin_) * sizeof(Slot) + 4096);
}

Store::Store(StoreOptions options)
    : options_(options),
      native_stack_limit_(options.native_stack_limit ? options.native_stack_limit : thread_stack_limit()),
      value_stack_(options.value_stack_bytes) {}

Store::~Store() = default;

Outcome<> Store::call(FuncInstance& func, std::span<Slot> slots) {
  if (slots.size() < std::max(func.type->param_slots, func.type->result_slots))
    return Trap::make(TrapKind::Host, "call: " + std::to_string(slots.size()) + " slots do not hold the values of " +
                                          func.type->to_string());
  if (!call_raw(func, slots.data())) return take_trap();
  return {};
}

bool Store::call_raw(FuncInstance& func, Slot* slots) {
  if (func.host) {
    Caller caller(*this, nullptr);
    return func.host->invoke(*func.host, caller, slots);
  }
  return finish(run(func, slots), slots);
}

bool Store::tail_call(FuncInstance& func, const Slot* args) {
  tail_callee_ = &func;
  tail_slots_.assign(args, args + func.type->param_slots);
  return false;
}

/// Each link of the chain has its arguments in a buffer of its own size, while the one after it fills the other.
bool Store::run_tail_calls(Slot* slots) {
  std::vector<Slot> values;
  while (FuncInstance* func = std::exchange(tail_callee_, nullptr)) {
    values.swap(tail_slots_);
    values.resize(std::max<size_t>({func->type->param_slots, func->type->result_slots, 1}));
    if (!run(*func, values.data())) continue;
    std::copy_n(values.begin(), func->type->result_slots, slots);
    return true;
  }
  return false;
}

/// One activation of a wasm function.
bool Store::run(FuncInstance& func, Slot* slots) {
  Instance& instance = *func.context->instance;
  if (CodeImage* image = instance.code_image())
    if (image->entry(func.index - instance.module().imported_funcs)) return image->enter(*this, func, slots);
  return interpret(*this, func, slots);
}

void Store::interrupt(uint32_t bits) {
  std::lock_guard lock(contexts_mutex_);
  pending_interrupts_.fetch_or(bits, std::memory_order_relaxed);
  for (const auto& instance : instances_) {
    instance->context_.interrupt.fetch_or(bits);
    instance->context_.entry_limit.store(EntryPolls);
  }
}

void Store::clear_interrupts() {
  std::lock_guard lock(contexts_mutex_);
  pending_interrupts_.store(0, std::memory_order_relaxed);
  for (const auto& instance : instances_) {
    instance->context_.interrupt.store(0);
    instance->context_.update_entry_limit();
  }
}

bool Store::poll(Context& context) {
  const uint32_t bits = context.interrupt.load(std::memory_order_relaxed);
  pending_interrupts_.fetch_and(~bits, std::memory_order_relaxed);
  for (const auto& instance : instances_) {
    instance->context_.interrupt.fetch_and(~bits);
    instance->context_.update_entry_limit();
  }
  if (bits & InterruptStop) return raise(TrapKind::Interrupted);
  if (bits & InterruptCall && on_interrupt)
    if (Outcome<> done = on_interrupt(); !done) return raise(std::move(done.error()));
  if (bits & InterruptYield && on_yield) on_yield();
  return true;
}

bool Store::raise(Trap trap) {
  if (trap.trace.empty() && trap.kind != TrapKind::Exit) capture_trace(trap);
  trap_ = std::make_unique<Trap>(std::move(trap));
  return false;
}

Trap Store::take_trap() {
  Trap trap = std::move(*trap_);
  trap_.reset();
  return trap;
}

void Store::capture_trace(Trap& trap) {
  for (const Activation* a = activation_; a; a = a->previous) {
    if (a->kind == Activation::Kind::Interpreter) {
      interpreter_trace(*a, trap);
    } else {
      const auto* image = static_cast<const CodeImage*>(a->unwind[0]);
      if (image) image->trace(*a, trap);
    }
  }
  if (trap.trace.size() > Trap::MaxTraceFrames) {
    trap.frames_dropped += static_cast<uint32_t>(trap.trace.size() - Trap::MaxTraceFrames);
    trap.trace.resize(Trap::MaxTraceFrames);
  }
}

void Store::set_native_stack_limit(const std::byte* limit) {
  native_stack_limit_ = limit;
  for (const auto& instance : instances_) {
    instance->context_.stack_limit = limit;
    instance->context_.update_entry_limit();
  }
}

int64_t Store::grow(Memory& memory, uint64_t delta_pages) {
  const int64_t old = memory.grow(delta_pages);
  if (old < 0) return old;
  for (const auto& instance : instances_)
    if (!instance->memories_.empty() && instance->memories_[0] == &memory)
      instance->context_.memory0_size = memory.size();
  return old;
}

FuncInstance* Store::add_host_func(std::shared_ptr<const HostFunction> host) {
  std::unique_ptr<FuncInstance>& func = host_funcs_[host.get()];
  if (!func) {
    const void* code = options_.compiler ? options_.compiler->host_entry() : &InterpreterOnly;
    func = std::make_unique<FuncInstance>(FuncInstance{code, nullptr, &host->type, host.get(), 0, ForeignType});
    hosts_.push_back(std::move(host));
  }
  return func.get();
}

Memory* Store::add_memory(std::unique_ptr<Memory> memory) {
  return memories_.emplace_back(std::move(memory)).get();
}

TableInstance* Store::add_table(std::unique_ptr<TableInstance> table) {
  return tables_.emplace_back(std::move(table)).get();
}

GlobalInstance* Store::add_global(GlobalType type, GlobalCell value) {
  return globals_.emplace_back(new GlobalInstance{value, type}).get();
}

TagInstance* Store::add_tag(FuncType type) {
  tag_types_.push_back(std::make_unique<FuncType>(std::move(type)));
  return tags_.emplace_back(new TagInstance{tag_types_.back().get()}).get();
}

Instance* Store::add_instance(std::unique_ptr<Instance> instance) {
  std::lock_guard lock(contexts_mutex_);
  instance->context_.interrupt = pending_interrupts_.load(std::memory_order_relaxed);  // its start function may loop
  instance->context_.update_entry_limit();
  return instances_.emplace_back(std::move(instance)).get();
}

Instance& Store::host_instance() {
  if (!host_instance_) {
    static const std::shared_ptr<const Module> Empty = [] {
      constexpr std::array<uint8_t, 8> Bytes = {0, 'a', 's', 'm', 1, 0, 0, 0};
      return *Module::compile(std::as_bytes(std::span(Bytes)));
    }();
    host_instance_ = add_instance(std::unique_ptr<Instance>(new Instance(*this, Empty)));
  }
  return *host_instance_;
}

Store::Mark Store::mark() const {
  return {instances_.size(), memories_.size(), tables_.size(), globals_.size(), tags_.size(), hosts_.size()};
}

void Store::release(const Mark& mark) {
  exceptions_.clear();
  {
    std::lock_guard lock(contexts_mutex_);
    instances_.resize(mark.instances);
  }
  memories_.resize(mark.memories);
  tables_.resize(mark.tables);
  globals_.resize(mark.globals);
  tags_.resize(mark.tags);
  tag_types_.resize(mark.tags);
  for (size_t i = mark.hosts; i < hosts_.size(); ++i) host_funcs_.erase(hosts_[i].get());
  hosts_.resize(mark.hosts);
}

Exception* Store::new_exception(TagInstance* tag, std::span<const Slot> payload) {
  if (exceptions_.size() >= next_collection_) collect_exceptions();
  exceptions_.push_back(std::make_unique<Exception>(Exception{tag, {payload.begin(), payload.end()}}));
  return exceptions_.back().get();
}

// Exceptions are few and short-lived, so a conservative mark and sweep does: whatever looks like a pointer to one
// keeps it. Roots: the value stack, the native stack up to the outermost activation (frames of machine
// code and host functions), globals, tables and the pending trap.
__attribute__((noinline, no_sanitize("address"))) void Store::collect_exceptions() {
  std::unordered_map<uint64_t, Exception*> known;
  for (const auto& e : exceptions_) known.emplace(reinterpret_cast<uint64_t>(e.get()), e.get());
  std::vector<Exception*> work;
  auto mark = [&](uint64_t value) {
    auto found = known.find(value);
    if (found == known.end() || found->second->marked) return;
    found->second->marked = true;
    work.push_back(found->second);
  };
  std::jmp_buf registers;  // callee-saved registers may hold references
  setjmp(registers);
  __builtin_unwind_init();  // and what setjmp keeps in disguise
  const Activation* outermost = activation_;
  while (outermost && outermost->previous) outermost = outermost->previous;
  if (outermost) {
    for (auto* at = reinterpret_cast<const uint64_t*>(&registers); at < reinterpret_cast<const uint64_t*>(outermost); ++at)
      mark(*at);
    // Activations of machine code have no part of the value stack: the next interpreter's one says how far it is in use.
    const Activation* top = activation_;
    while (top && !top->stack_top) top = top->previous;
    if (top)
      for (const Slot* at = value_stack_.begin(); at < top->stack_top; ++at) mark(*at);
  }
  for (const auto& instance : instances_)
    for (GlobalCell* cell : instance->globals_) mark(cell->low);
  for (const auto& table : tables_)
    if (table->type().element == ValType::ExnRef)
      for (uint64_t i = 0; i < table->size(); ++i) mark(table->get(i));
  if (trap_) mark(reinterpret_cast<uint64_t>(trap_->exception));
  while (!work.empty()) {
    const Exception* e = work.back();
    work.pop_back();
    for (Slot value : e->payload) mark(value);
  }
  std::erase_if(exceptions_, [](const auto& e) { return !e->marked; });
  for (const auto& e : exceptions_) e->marked = false;
  next_collection_ = std::max<size_t>(4096, exceptions_.size() * 2);
}

}  // namespace krait::engine
