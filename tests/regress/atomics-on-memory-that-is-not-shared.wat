;; Atomics work on unshared memory, but wait traps there; notify wakes none; a misaligned access traps.
;; call add i32:0x8 i64:0x5
;; expect add: i64:0x0
;; call add i32:0x8 i64:0x5
;; expect add: i64:0x5
;; call add i32:0x9 i64:0x5
;; expect add: trap: unaligned atomic
;; call exchange i32:0x8 i32:0xa i32:0x63
;; expect exchange: i32:0xa
;; call wait
;; expect wait: trap: expected shared memory
;; call notify
;; expect notify: i32:0x0
(module
  (memory 1)
  (func (export "add") (param i32 i64) (result i64) (i64.atomic.rmw.add (local.get 0) (local.get 1)))
  (func (export "exchange") (param i32 i32 i32) (result i32)
    (i32.atomic.rmw.cmpxchg (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wait") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))
  (func (export "notify") (result i32) (memory.atomic.notify (i32.const 0) (i32.const 1))))
