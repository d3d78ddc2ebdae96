// Invariants
//  1. Only the scope's shard touches its lists; other threads go through the shard's inbox and
//  block until answered.
//  2. posted_ counts the spawns still in the inbox, so that join() does not end before they have
//  begun.
#include "io/scope.hpp"

#include <cassert>

#include "io/scheduler.hpp"
#include "io/shard.hpp"

namespace krait::io {

Scope::Scope() : shard_(current()->shard()) {
  self_.scope = this;
  Scope& parent = current()->scope();
  parent.children_.push_back(self_);
  cancelled_ = parent.cancelled_;
}

Scope::Scope(Shard& shard) : shard_(shard) { self_.scope = this; }

Scope::~Scope() {
  if (!on_shard()) {
    shard_.run([this] {
      cancel_here();
      join_here({});
    });
    return;
  }
  // A scope that is already empty may also end on the loop, outside of any coroutine.
  if (!empty()) {
    cancel_here();
    Shield shield;
    join_here({});
  }
  assert(empty());
  self_.unlink();
}

bool Scope::on_shard() const { return Shard::current() == &shard_; }

Task Scope::spawn(Closure entry, const char* name) {
  assert(on_shard());
  if (cancelled_) return {};
  return shard_.scheduler().spawn(*this, std::move(entry), name);
}

void Scope::spawn_posted(Closure entry, const char* name) {
  spawn(std::move(entry), name);
  posted_.fetch_sub(1, std::memory_order_release);
  if (empty()) emptied_.wake_all();
}

void Scope::enter(Fiber& fiber) {
  fibers_.push_back(fiber);
  ++live_;
}

void Scope::leave(Fiber& fiber) {
  static_cast<ListNode&>(fiber).unlink();
  --live_;
  if (empty()) emptied_.wake_all();
}

void Scope::cancel() {
  if (on_shard()) return cancel_here();
  shard_.run([this] { cancel_here(); });
}

void Scope::cancel_here() {
  if (cancelled_) return;
  cancelled_ = true;
  // Interrupting readies coroutines but runs none, so the lists hold still.
  fibers_.for_each([](Fiber& fiber) { fiber.cancel(); });
  children_.for_each([](Child& child) { child.scope->cancel_here(); });
}

int Scope::join(Deadline deadline) {
  if (on_shard()) return join_here(deadline);
  int result = 0;
  shard_.run([&] { result = join_here(deadline); });
  return result;
}

int Scope::join_here(Deadline deadline) {
  while (!empty()) {
    if (const int error = emptied_.wait(deadline)) return error;
  }
  return 0;
}

void Scope::for_each_erased(void (*visit)(Coroutine&, void*), void* argument) {
  fibers_.for_each([&](Fiber& fiber) { visit(fiber, argument); });
}

}  // namespace krait::io
