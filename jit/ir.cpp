// The IR's bookkeeping: operands, constants, cleaning, printing.
#include "jit/ir.hpp"

#include <array>

namespace krait::jit {

using engine::ValType;

const OpInfo& info_of(Op op) {
  static constexpr std::array<OpInfo, OpCount> Infos = {{
#define IR(name, text, args, effects) OpInfo{text, args, effects},
#include "jit/ir.def"
#undef IR
  }};
  return Infos[static_cast<size_t>(op)];
}

Type type_of(ValType type) {
  switch (type) {
    case ValType::I32: return Type::I32;
    case ValType::F32: return Type::F32;
    case ValType::F64: return Type::F64;
    case ValType::V128: return Type::V128;
    default: return Type::I64;
  }
}

const char* name_of(Type type) {
  static constexpr const char* Names[] = {"none", "i32", "i64", "f32", "f64", "v128"};
  return Names[static_cast<size_t>(type)];
}

uint32_t bytes_of(MemKind kind) {
  static constexpr uint8_t Bytes[] = {1, 1, 2, 2, 4, 4, 8, 4, 8, 16, 8, 8, 8, 8, 8, 8, 1, 2, 4, 8, 4, 8};
  return Bytes[static_cast<size_t>(kind)];
}

void Function::set_args(NodeId id, std::span<const uint32_t> values) {
  Node& n = nodes[id];
  n.count = static_cast<uint32_t>(values.size());
  uint32_t* at = n.args;
  if (in_list(n)) {
    n.list = static_cast<uint32_t>(lists.size());
    lists.resize(lists.size() + values.size());
    at = lists.data() + n.list;
  }
  for (uint32_t v : values) *at++ = v;
}

NodeId Function::make(Op op, Type type, std::span<const uint32_t> values, uint64_t imm, uint8_t aux) {
  const auto id = static_cast<NodeId>(nodes.size());
  Node& n = nodes.emplace_back();
  n.op = op;
  n.type = type;
  n.aux = aux;
  n.imm = imm;
  set_args(id, values);
  return id;
}

NodeId Function::constant(Type type, uint64_t bits) {
  if (type == Type::I32 || type == Type::F32) bits &= 0xffffffff;
  return make(Op::Const, type, {}, bits);
}

uint32_t Function::vector(uint64_t low, uint64_t high) {
  for (size_t i = 0; i < vectors.size(); ++i)
    if (vectors[i].low == low && vectors[i].high == high) return static_cast<uint32_t>(i);
  vectors.push_back({low, high});
  return static_cast<uint32_t>(vectors.size() - 1);
}

void replace_uses(Function& f, std::vector<NodeId>& replacement) {
  auto find = [&](NodeId id) {
    NodeId at = id;
    while (replacement[at] != None) at = replacement[at];
    while (replacement[id] != None) {
      const NodeId next = replacement[id];
      replacement[id] = at;
      id = next;
    }
    return at;
  };
  for (BlockId b : f.order)
    for (NodeId id : f.blocks[b].nodes)
      for (uint32_t& arg : f.args(id))
        if (replacement[arg] != None) arg = find(arg);
}

namespace {

/// phi(x, x, self) is x.
bool remove_trivial_phis(Function& f) {
  std::vector<NodeId> replacement(f.nodes.size(), None);
  auto find = [&](NodeId id) {
    while (replacement[id] != None) id = replacement[id];
    return id;
  };
  bool any = false;
  for (bool changed = true; changed;) {
    changed = false;
    for (BlockId b : f.order) {
      for (NodeId id : f.blocks[b].nodes) {
        if (f[id].op != Op::Phi) break;
        if (replacement[id] != None) continue;
        NodeId same = None;
        bool trivial = true;
        for (uint32_t& arg : f.args(id)) {
          arg = find(arg);
          if (arg == id || arg == same) continue;
          if (same != None && f.is_const(arg) && f.is_const(same) && f[arg].imm == f[same].imm) continue;
          if (same != None) {
            trivial = false;
            break;
          }
          same = arg;
        }
        if (trivial && same != None) replacement[id] = same, changed = any = true;
      }
    }
  }
  if (!any) return false;
  for (BlockId b : f.order)
    std::erase_if(f.blocks[b].nodes, [&](NodeId id) { return replacement[id] != None; });
  replace_uses(f, replacement);
  return true;
}

void remove_dead(Function& f) {
  std::vector<bool> live(f.nodes.size());
  std::vector<NodeId> work;
  auto need = [&](NodeId id) {
    if (live[id]) return;
    live[id] = true;
    work.push_back(id);
  };
  for (BlockId b : f.order)
    for (NodeId id : f.blocks[b].nodes) {
      const uint8_t effects = info_of(f[id].op).effects;
      if (effects & (Writes | Traps | Calls | Terminator) || f[id].op == Op::Param) need(id);
    }
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    for (uint32_t arg : f.args(id)) need(arg);
  }
  for (BlockId b : f.order)
    std::erase_if(f.blocks[b].nodes, [&](NodeId id) {
      if (live[id] || f[id].op == Op::Result) return false;
      f[id].block = None;
      return true;
    });
}

}  // namespace

void clean(Function& f) {
  remove_trivial_phis(f);
  remove_dead(f);
}

namespace {

std::string value_name(const Function& f, NodeId id) {
  const Node& n = f[id];
  if (n.op != Op::Const) return "v" + std::to_string(id);
  switch (n.type) {
    case Type::I32: return std::to_string(static_cast<int32_t>(n.imm));
    case Type::I64: return std::to_string(static_cast<int64_t>(n.imm)) + "L";
    default: {
      char text[40];
      std::snprintf(text, sizeof text, "%s:0x%llx", name_of(n.type), static_cast<unsigned long long>(n.imm));
      return text;
    }
  }
}

std::string print_node(const Function& f, NodeId id) {
  const Node& n = f[id];
  std::string out = "    ";
  if (n.type != Type::None) out += "v" + std::to_string(id) + ":" + name_of(n.type) + " = ";
  out += info_of(n.op).text;
  switch (n.op) {
    case Op::Result:
    case Op::Trap:
    case Op::CallBuiltin: out += "#" + std::to_string(n.aux); break;
    case Op::Param:
    case Op::GlobalGet:
    case Op::GlobalSet:
    case Op::Call:
    case Op::TailCall:
    case Op::CallIndirect: out += "[" + std::to_string(n.imm) + "]"; break;
    case Op::Load:
    case Op::Store:
      out += std::to_string(8 * bytes_of(static_cast<MemKind>(n.aux))) + "+" + std::to_string(offset_of(n.imm));
      if (memory_of(n.imm)) out += " memory " + std::to_string(memory_of(n.imm));
      break;
    case Op::AtomicLoad:
    case Op::AtomicStore:
    case Op::AtomicRmw:
    case Op::AtomicCmpxchg:
    case Op::LoadLane:
    case Op::StoreLane:
      out += std::to_string(8 * bytes_of(static_cast<MemKind>(n.aux & 15))) + "+" + std::to_string(offset_of(n.imm)) +
             (n.aux >> 4 ? " #" + std::to_string(n.aux >> 4) : "");
      if (memory_of(n.imm)) out += " memory " + std::to_string(memory_of(n.imm));
      break;
    case Op::V128Const: {
      char text[48];
      const auto [low, high] = f.vectors[n.imm];
      std::snprintf(text, sizeof text, " 0x%016llx%016llx", static_cast<unsigned long long>(high), static_cast<unsigned long long>(low));
      out += text;
      break;
    }
    case Op::Vector: {
      const VectorImm imm = VectorImm::of(n.imm);
      out += std::string(" ") + engine::info_of(imm.opcode).text + "#" + std::to_string(imm.lane);
      break;
    }
    default: break;
  }
  const char* separator = " ";
  for (uint32_t arg : f.args(id)) out += separator + value_name(f, arg), separator = ", ";
  return out;
}

}  // namespace

std::string print(const Function& f) {
  std::string out;
  for (BlockId b : f.order) {
    const Block& block = f.blocks[b];
    out += "  b" + std::to_string(b) + ":";
    if (block.loop_header) out += " loop";
    if (block.cold) out += " cold";
    if (block.landing) out += block.tag == engine::NoIndex ? " lands" : " lands tag " + std::to_string(block.tag);
    if (!block.preds.empty()) out += " <-";
    for (BlockId p : block.preds) out += " b" + std::to_string(p);
    out += '\n';
    for (NodeId id : block.nodes) out += print_node(f, id) + (id == block.nodes.back() ? " ->" : "\n");
    for (BlockId s : block.succs) out += " b" + std::to_string(s);
    out += '\n';
  }
  return out;
}

}  // namespace krait::jit
