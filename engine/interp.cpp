// A plain interpreter: one switch, one C++ call for each guest call.
#include "engine/interp.hpp"

#include <cstring>

#include "engine/compiler.hpp"
#include "engine/host.hpp"
#include "engine/numeric.hpp"
#include "engine/opcodes.hpp"

namespace krait::engine {
namespace {

struct Frame {
  Frame* caller;
  Instance* instance;
  uint32_t func;
  const uint8_t* pc;
};

struct Machine {
  Store& store;
  Activation& activation;
};

uint64_t leb_u(const uint8_t*& p) {
  uint64_t v = *p & 0x7f;
  for (unsigned s = 7; *p++ & 0x80; s += 7) v |= uint64_t{*p & 0x7fu} << s;
  return v;
}
int64_t leb_s(const uint8_t*& p) {
  uint64_t v = 0;
  unsigned s = 0;
  uint8_t b;
  do {
    b = *p++;
    v |= uint64_t{b & 0x7fu} << s;
    s += 7;
  } while (b & 0x80);
  if (s < 64 && (b & 0x40)) v |= ~uint64_t{0} << s;
  return static_cast<int64_t>(v);
}
void skip_leb(const uint8_t*& p) {
  while (*p++ & 0x80) {}
}

template <typename T>
T from_slot(Slot s) {
  if constexpr (sizeof(T) == 4) return std::bit_cast<T>(static_cast<uint32_t>(s));
  else return std::bit_cast<T>(s);
}
template <typename T>
Slot to_slot(T v) {
  if constexpr (sizeof(T) == 4) return std::bit_cast<uint32_t>(v);
  else return std::bit_cast<uint64_t>(v);
}

template <typename R, typename... A>
constexpr size_t arity(R (*)(A...)) { return sizeof...(A); }

template <typename S, typename R, typename A>
bool put(Slot*& sp, R r, TrapKind& kind) {
  if constexpr (requires { r.ok; }) {
    if (!r.ok) return kind = r.trap, false;
    *sp++ = to_slot(r.value);
  } else {
    *sp++ = to_slot(r);
  }
  return true;
}

template <Opcode O, typename R, typename A>
bool numeric1(Slot*& sp, TrapKind& kind, R (*)(A)) {
  const A a = from_slot<A>(*--sp);
  return put<void, R, A>(sp, Semantics<O>::apply(a), kind);
}
template <Opcode O, typename R, typename A>
bool numeric1(Slot*& sp, TrapKind& kind, R (*)(A, A)) {
  sp -= 2;
  const A a = from_slot<A>(sp[0]), b = from_slot<A>(sp[1]);
  return put<void, R, A>(sp, Semantics<O>::apply(a, b), kind);
}

bool run(Machine m, Instance& instance, uint32_t func_index, Slot* locals, Frame* caller);

bool call_func(Machine m, FuncInstance& f, Slot* args, Frame& frame, Slot* top) {
  m.activation.stack_top = top;
  if (f.host) {
    if (args + f.type->result_slots + 8 > m.store.value_stack().end()) return m.store.raise(TrapKind::StackOverflow);
    Caller caller(m.store, &frame.instance->context());
    return f.host->invoke(*f.host, caller, args);
  }
  Instance& callee = *f.context->instance;
  if (CodeImage* image = callee.code_image())
    if (image->entry(f.index - callee.module().imported_funcs)) return image->enter(m.store, f, args);
  return run(m, callee, f.index, args, &frame);
}

bool run(Machine m, Instance& instance, uint32_t func_index, Slot* locals, Frame* caller) {
  Store& store = m.store;
  const Module& module = instance.module();
  const Function& fn = module.functions[func_index - module.imported_funcs];
  const auto* base = reinterpret_cast<const uint8_t*>(module.bytes().data());
  const BranchEntry* stp = module.side_table().data() + fn.side_table;
  Context& ctx = instance.context();
  Frame frame{caller, &instance, func_index, base + fn.code_begin};
  m.activation.frame = &frame;
  Slot* const operands = locals + fn.local_slots;
  Slot* sp = operands;
  const std::byte here{};
  if (sp + fn.max_operand_slots + 64 > store.value_stack().end() || &here < store.native_stack_limit())
    return store.raise(TrapKind::StackOverflow);
  for (uint32_t i = fn.param_slots; i < fn.local_slots; ++i) locals[i] = 0;
  const uint8_t* pc = base + fn.code_begin;
  const uint8_t* const last = base + fn.code_end - 1;
  TrapKind kind = TrapKind::Unreachable;
  auto branch = [&](const uint8_t* at) {
    const BranchEntry& e = *stp;
    if (e.drop) std::memmove(sp - e.keep - e.drop, sp - e.keep, e.keep * sizeof(Slot));
    sp -= e.drop;
    pc = at + e.delta_pc;
    stp += e.delta_stp;
  };
  auto address = [&](Memory*& memory, Slot index, uint64_t width, uint64_t& at) {
    // pc stands at the memarg.
    const uint64_t align = leb_u(pc);
    const uint64_t mem = align & 0x40 ? leb_u(pc) : 0;
    const uint64_t offset = leb_u(pc);
    memory = ctx.memories[mem];
    at = static_cast<uint32_t>(index) + offset;
    return memory->contains(at, width);
  };
#define TRAP(k) do { kind = (k); goto trap; } while (0)
  for (;;) {
    const uint8_t* const at = pc;
    frame.pc = at;
    const uint8_t byte = *pc++;
    switch (byte) {
      case 0x00: TRAP(TrapKind::Unreachable);
      case 0x01: break;
      case 0x02: skip_leb(pc); break;
      case 0x03:
        skip_leb(pc);
        if (ctx.interrupt.load(std::memory_order_relaxed) && !store.poll(ctx)) return false;
        break;
      case 0x04:
        skip_leb(pc);
        if (static_cast<uint32_t>(*--sp)) ++stp;
        else branch(at);
        break;
      case 0x05: branch(at); break;
      case 0x0b:
        if (at != last) break;
        [[fallthrough]];
      case 0x0f:
        std::memmove(locals, sp - fn.result_slots, fn.result_slots * sizeof(Slot));
        m.activation.frame = caller;
        return true;
      case 0x0c: branch(at); break;
      case 0x0d:
        if (static_cast<uint32_t>(*--sp)) branch(at);
        else skip_leb(pc), ++stp;
        break;
      case 0x0e: {
        const uint64_t n = leb_u(pc);
        stp += std::min<uint64_t>(static_cast<uint32_t>(*--sp), n);
        branch(at);
        break;
      }
      case 0x10: {
        const auto index = static_cast<uint32_t>(leb_u(pc));
        const FuncType& type = module.type_of_func(index);
        Slot* args = sp - type.param_slots;
        bool ok;
        if (index < module.imported_funcs) ok = call_func(m, *ctx.imports[index], args, frame, sp);
        else if (ctx.code) ok = call_func(m, instance.func(index), args, frame, sp);
        else ok = run(m, instance, index, args, &frame);
        if (!ok) return false;
        m.activation.frame = &frame;
        sp = args + type.result_slots;
        break;
      }
      case 0x11: {
        const auto type_index = static_cast<uint32_t>(leb_u(pc));
        TableInstance& table = *ctx.tables[leb_u(pc)];
        const auto index = static_cast<uint32_t>(*--sp);
        const FuncType& type = module.types[type_index];
        if (index >= table.size()) TRAP(TrapKind::UndefinedElement);
        FuncInstance* f = table.func(index);
        if (!f) TRAP(TrapKind::UninitializedElement);
        if (!(*f->type == type)) TRAP(TrapKind::IndirectCallTypeMismatch);
        Slot* args = sp - type.param_slots;
        if (!call_func(m, *f, args, frame, sp)) return false;
        m.activation.frame = &frame;
        sp = args + type.result_slots;
        break;
      }
      case 0x1a: --sp; break;
      case 0x1c: {
        for (uint64_t n = leb_u(pc); n--;) ++pc;
        [[fallthrough]];
      }
      case 0x1b:
        sp -= 2;
        if (!static_cast<uint32_t>(sp[1])) sp[-1] = sp[0];
        break;
      case 0x20: *sp++ = locals[leb_u(pc)]; break;
      case 0x21: locals[leb_u(pc)] = *--sp; break;
      case 0x22: locals[leb_u(pc)] = sp[-1]; break;
      case 0x23: *sp++ = ctx.globals[leb_u(pc)]->low; break;
      case 0x24: ctx.globals[leb_u(pc)]->low = *--sp; break;
      case 0x25: {
        TableInstance& table = *ctx.tables[leb_u(pc)];
        if (static_cast<uint32_t>(sp[-1]) >= table.size()) TRAP(TrapKind::TableOutOfBounds);
        sp[-1] = table.get(static_cast<uint32_t>(sp[-1]));
        break;
      }
      case 0x26: {
        TableInstance& table = *ctx.tables[leb_u(pc)];
        sp -= 2;
        if (static_cast<uint32_t>(sp[0]) >= table.size()) TRAP(TrapKind::TableOutOfBounds);
        table.set(static_cast<uint32_t>(sp[0]), sp[1]);
        break;
      }
#define LOAD(code, T, U)                                                          \
  case code: {                                                                    \
    Memory* memory;                                                               \
    uint64_t where;                                                               \
    if (!address(memory, sp[-1], sizeof(T), where)) TRAP(TrapKind::MemoryOutOfBounds); \
    T v;                                                                          \
    std::memcpy(&v, memory->base() + where, sizeof v);                            \
    sp[-1] = static_cast<U>(v);                                                   \
    break;                                                                        \
  }
      LOAD(0x28, uint32_t, uint32_t) LOAD(0x29, uint64_t, uint64_t) LOAD(0x2a, uint32_t, uint32_t)
      LOAD(0x2b, uint64_t, uint64_t) LOAD(0x2c, int8_t, uint32_t) LOAD(0x2d, uint8_t, uint32_t)
      LOAD(0x2e, int16_t, uint32_t) LOAD(0x2f, uint16_t, uint32_t) LOAD(0x30, int8_t, uint64_t)
      LOAD(0x31, uint8_t, uint64_t) LOAD(0x32, int16_t, uint64_t) LOAD(0x33, uint16_t, uint64_t)
      LOAD(0x34, int32_t, uint64_t) LOAD(0x35, uint32_t, uint64_t)
#define STORE(code, T)                                                            \
  case code: {                                                                    \
    Memory* memory;                                                               \
    uint64_t where;                                                               \
    if (!address(memory, sp[-2], sizeof(T), where)) TRAP(TrapKind::MemoryOutOfBounds); \
    const T v = static_cast<T>(sp[-1]);                                           \
    std::memcpy(memory->base() + where, &v, sizeof v);                            \
    sp -= 2;                                                                      \
    break;                                                                        \
  }
      STORE(0x36, uint32_t) STORE(0x37, uint64_t) STORE(0x38, uint32_t) STORE(0x39, uint64_t) STORE(0x3a, uint8_t)
      STORE(0x3b, uint16_t) STORE(0x3c, uint8_t) STORE(0x3d, uint16_t) STORE(0x3e, uint32_t)
      case 0x3f: *sp++ = ctx.memories[leb_u(pc)]->pages(); break;
      case 0x40: {
        const uint64_t index = leb_u(pc);
        sp[-1] = static_cast<uint32_t>(store.grow(*ctx.memories[index], static_cast<uint32_t>(sp[-1])));
        break;
      }
      case 0x41: *sp++ = static_cast<uint32_t>(leb_s(pc)); break;
      case 0x42: *sp++ = static_cast<uint64_t>(leb_s(pc)); break;
      case 0x43: { uint32_t v; std::memcpy(&v, pc, 4); pc += 4; *sp++ = v; break; }
      case 0x44: { uint64_t v; std::memcpy(&v, pc, 8); pc += 8; *sp++ = v; break; }
      case 0xd0: skip_leb(pc); *sp++ = 0; break;
      case 0xd1: sp[-1] = sp[-1] == 0; break;
      case 0xd2: *sp++ = reinterpret_cast<Ref>(&instance.func(static_cast<uint32_t>(leb_u(pc)))); break;
      case 0xfc: {
        const uint64_t code = leb_u(pc);
        switch (code) {
#define SAT(n, name) case n: if (!numeric1<Opcode::name>(sp, kind, &Semantics<Opcode::name>::apply)) goto trap; break;
          SAT(0, I32TruncSatF32S) SAT(1, I32TruncSatF32U) SAT(2, I32TruncSatF64S) SAT(3, I32TruncSatF64U)
          SAT(4, I64TruncSatF32S) SAT(5, I64TruncSatF32U) SAT(6, I64TruncSatF64S) SAT(7, I64TruncSatF64U)
          case 8: {
            const auto segment = static_cast<uint32_t>(leb_u(pc));
            Memory& memory = *ctx.memories[leb_u(pc)];
            sp -= 3;
            const uint64_t d = static_cast<uint32_t>(sp[0]), s = static_cast<uint32_t>(sp[1]), n = static_cast<uint32_t>(sp[2]);
            const auto data = instance.data(segment);
            if (s + n > data.size() || !memory.contains(d, n)) TRAP(TrapKind::MemoryOutOfBounds);
            if (n) std::memcpy(memory.base() + d, data.data() + s, n);
            break;
          }
          case 9: instance.drop_data(static_cast<uint32_t>(leb_u(pc))); break;
          case 10: {
            Memory& dst = *ctx.memories[leb_u(pc)];
            Memory& src = *ctx.memories[leb_u(pc)];
            sp -= 3;
            const uint64_t d = static_cast<uint32_t>(sp[0]), s = static_cast<uint32_t>(sp[1]), n = static_cast<uint32_t>(sp[2]);
            if (!src.contains(s, n) || !dst.contains(d, n)) TRAP(TrapKind::MemoryOutOfBounds);
            std::memmove(dst.base() + d, src.base() + s, n);
            break;
          }
          case 11: {
            Memory& memory = *ctx.memories[leb_u(pc)];
            sp -= 3;
            const uint64_t d = static_cast<uint32_t>(sp[0]), n = static_cast<uint32_t>(sp[2]);
            if (!memory.contains(d, n)) TRAP(TrapKind::MemoryOutOfBounds);
            std::memset(memory.base() + d, static_cast<uint8_t>(sp[1]), n);
            break;
          }
          default: return store.raise(Trap::make(TrapKind::Host, "instruction 0xfc " + std::to_string(code) + " is not supported"));
        }
        break;
      }
      default: {
        switch (byte) {
#define NUM(code, name) case code: if (!numeric1<Opcode::name>(sp, kind, &Semantics<Opcode::name>::apply)) goto trap; break;
#include "engine/interp_numeric.inc"
          default:
            return store.raise(Trap::make(TrapKind::Host, std::string("instruction ") + std::to_string(byte) + " is not supported"));
        }
      }
    }
  }
trap:
  return store.raise(kind);
}

}  // namespace

bool interpret(Store& store, FuncInstance& func, Slot* slots) {
  Activation* const previous = store.activation();
  Activation activation;
  activation.previous = previous;
  Slot* base = store.value_stack().begin();
  for (Activation* a = previous; a; a = a->previous)
    if (a->kind == Activation::Kind::Interpreter) {
      base = a->stack_top + 64;
      break;
    }
  store.set_activation(&activation);
  activation.stack_top = base;
  std::memcpy(base, slots, func.type->param_slots * sizeof(Slot));
  const bool ok = run({store, activation}, *func.context->instance, func.index, base, nullptr);
  store.set_activation(previous);
  if (ok) std::memcpy(slots, base, func.type->result_slots * sizeof(Slot));
  return ok;
}

void interpreter_trace(const Activation& activation, Trap& trap) {
  for (auto* f = static_cast<const Frame*>(activation.frame); f; f = f->caller) {
    const Module& module = f->instance->module();
    trap.trace.push_back({module.name(), module.func_name(f->func), f->func,
                          static_cast<uint32_t>(f->pc - reinterpret_cast<const uint8_t*>(module.bytes().data()))});
  }
}

}  // namespace krait::engine
