// Inlining of small leaves that can neither trap nor call: no backtrace can show that their frame is missing, and they
// poll nothing. Only bodies of one block: what branches is larger than a call.
#include <map>
#include <optional>

#include "jit/build.hpp"
#include "jit/opt.hpp"

namespace krait::jit {
namespace {

constexpr size_t MaxCodeBytes = 48, MaxNodes = 8;

/// The callee's IR if it can stand at its calls.
std::optional<Function> leaf(const engine::Module& m, uint32_t index) {
  const engine::Function& wasm = m.functions[index - m.imported_funcs];
  const engine::FuncType& type = m.type_of_func(index);
  if (wasm.code_end - wasm.code_begin > MaxCodeBytes || type.results.size() != 1) return std::nullopt;
  Function f;
  if (build(m, index - m.imported_funcs, f) || f.order.size() != 1) return std::nullopt;
  size_t size = 0;
  for (NodeId id : f.blocks[0].nodes) {
    const Node& n = f[id];
    const bool plain = info_of(n.op).effects == Pure || n.op == Op::GlobalGet || n.op == Op::Return;
    if (!plain || n.op == Op::V128Const || n.op == Op::Vector || ++size > MaxNodes + type.params.size()) return std::nullopt;
  }
  return f;
}

class Inliner {
 public:
  explicit Inliner(Function& f) : f_(f), m_(*f.module) {}

  void run() {
    for (BlockId b : f_.order) {
      invoked_ = invoked_call(f_, b);
      bool any = false;
      for (NodeId id : f_.blocks[b].nodes) any |= callee(id) != nullptr;
      if (!any) continue;
      const std::vector<NodeId> nodes = std::move(f_.blocks[b].nodes);
      f_.blocks[b].nodes.clear();
      for (NodeId id : nodes) {
        if (const Function* from = callee(id)) put(id, *from, b);
        else f_.blocks[b].nodes.push_back(id);
      }
    }
    if (replacement_.empty()) return;
    replacement_.resize(f_.nodes.size(), None);
    replace_uses(f_, replacement_);
    clean(f_);
  }

 private:
  const Function* callee(NodeId id) {
    const Node& n = f_[id];
    if (n.op != Op::Call || n.imm < m_.imported_funcs || id == invoked_) return nullptr;
    const auto index = static_cast<uint32_t>(n.imm);
    auto it = leaves_.find(index);
    if (it == leaves_.end()) it = leaves_.emplace(index, leaf(m_, index)).first;
    return it->second ? &*it->second : nullptr;
  }
  void put(NodeId call, const Function& from, BlockId block) {
    std::vector<NodeId> here(from.nodes.size(), None);
    auto value = [&](NodeId id) { return from.is_const(id) ? f_.constant(from[id].type, from[id].imm) : here[id]; };
    NodeId result = None;
    for (NodeId id : from.blocks[0].nodes) {
      const Node& n = from[id];
      if (n.op == Op::Param) {
        here[id] = f_.args(call)[n.imm];
        continue;
      }
      std::vector<NodeId> args;
      for (NodeId arg : from.args(id)) args.push_back(value(arg));
      if (n.op == Op::Return) {
        result = args[0];
        break;
      }
      here[id] = f_.make(n.op, n.type, args, n.imm, n.aux);
      f_[here[id]].block = block;
      f_[here[id]].wasm_pc = f_[call].wasm_pc;
      f_.blocks[block].nodes.push_back(here[id]);
    }
    replacement_.resize(f_.nodes.size(), None);
    replacement_[call] = result;
    f_[call].block = None;
  }

  Function& f_;
  const engine::Module& m_;
  NodeId invoked_ = None;
  std::map<uint32_t, std::optional<Function>> leaves_;
  std::vector<NodeId> replacement_;
};

}  // namespace

void inline_leaves(Function& f) { Inliner(f).run(); }

}  // namespace krait::jit
