// Intrusive lists: no allocation on any path that parks or wakes.
#pragma once

#include <utility>

namespace krait::io {

/// A node of a circular doubly linked list; the head is a node of its own. Unlinked nodes point to
/// themselves, so unlink is idempotent. Not thread-safe.
struct ListNode {
  ListNode* next = this;
  ListNode* prev = this;

  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  [[nodiscard]] bool linked() const { return next != this; }
  void insert_before(ListNode& position) {
    next = &position;
    prev = position.prev;
    prev->next = this;
    position.prev = this;
  }
  void unlink() {
    prev->next = next;
    next->prev = prev;
    next = prev = this;
  }
};

/// A list of T, which derives from ListNode. Owns nothing.
template <typename T>
class List {
 public:
  [[nodiscard]] bool empty() const { return !head_.linked(); }
  [[nodiscard]] T* front() { return empty() ? nullptr : static_cast<T*>(head_.next); }
  void push_back(T& item) { static_cast<ListNode&>(item).insert_before(head_); }
  T* pop_front() {
    T* item = front();
    if (item) static_cast<ListNode*>(item)->unlink();
    return item;
  }
  /// Visits each item; `visit` may unlink the item it is given.
  template <typename F>
  void for_each(F&& visit) {
    for (ListNode *node = head_.next, *next; node != &head_; node = next) {
      next = node->next;
      visit(*static_cast<T*>(node));
    }
  }

 private:
  ListNode head_;
};

}  // namespace krait::io
