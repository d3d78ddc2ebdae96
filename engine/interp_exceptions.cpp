// Exceptions: the search for a handler, through the frames of one activation and, by way of a pending trap,
// across activations. Nothing here runs while nothing is thrown.
#include "engine/interp_core.hpp"

namespace krait::engine::interp {
namespace {

/// The innermost region of the function that holds the byte offset, or NoIndex.
uint32_t region_at(const Function& function, uint32_t offset) {
  for (size_t i = function.regions.size(); i-- > 0;)
    if (function.regions[i].begin <= offset && offset < function.regions[i].end) return static_cast<uint32_t>(i);
  return NoIndex;
}

const CatchClause* clause_for(const Function& function, uint32_t region, Instance& instance, const TagInstance* tag) {
  for (; region != NoIndex; region = function.regions[region].next) {
    const TryRegion& r = function.regions[region];
    for (uint32_t i = r.first_catch; i < r.first_catch + r.catch_count; ++i) {
      const CatchClause& clause = function.catches[i];
      if (clause.tag == NoIndex || &instance.tag(clause.tag) == tag) return &clause;
    }
  }
  return nullptr;
}

/// Makes `frame` the running one, at the clause's target.
void go_to(Run& run, Frame& frame, const CatchClause& clause, Exception* exception) {
  const Module& module = frame.context->instance->module();
  const auto* bytes = reinterpret_cast<const uint8_t*>(module.bytes().data());
  Slot* sp = reinterpret_cast<Slot*>(&frame + 1) + clause.height;
  if (clause.legacy) frame.locals[clause.exception_slot] = reinterpret_cast<Slot>(exception);
  if (clause.kind == CatchKind::Catch || clause.kind == CatchKind::CatchRef)
    for (Slot value : exception->payload) *sp++ = value;
  if (clause.kind == CatchKind::CatchRef || clause.kind == CatchKind::CatchAllRef)
    *sp++ = reinterpret_cast<Slot>(exception);
  frame.pc = bytes + clause.target_pc;
  frame.stp = module.side_table().data() + frame.function->side_table + clause.target_stp;
  run.frame = &frame;
  run.sp = sp;
}

}  // namespace

bool find_catch(Run& run, Exception* exception) {
  for (Frame* frame = run.innermost(); frame->function; frame = frame->caller) {
    const Function& function = *frame->function;
    if (function.regions.empty()) continue;
    Instance& instance = frame->context->instance[0];
    const auto* bytes = reinterpret_cast<const uint8_t*>(instance.module().bytes().data());
    const uint32_t region = region_at(function, static_cast<uint32_t>(frame->at - bytes));
    if (const CatchClause* clause = clause_for(function, region, instance, exception->tag)) {
      go_to(run, *frame, *clause, exception);
      return true;
    }
  }
  return false;
}

bool throw_exception(Run& run, Exception* exception) {
  if (find_catch(run, exception)) return true;
  Trap trap = Trap::make(TrapKind::UncaughtException);
  trap.exception = exception;
  return run.store->raise(std::move(trap));
}

bool catch_from_callee(Run& run) {
  Trap trap = run.store->take_trap();
  if (trap.kind == TrapKind::UncaughtException && trap.exception && find_catch(run, trap.exception)) return true;
  return run.store->raise(std::move(trap));
}

}  // namespace krait::engine::interp
