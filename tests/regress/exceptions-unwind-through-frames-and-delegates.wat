;; Legacy exceptions: payload across frames, rethrow from a nested catch, delegate past an inner try and to the caller.
;; call across
;; expect across: i32:0x7 i64:0x8
;; call rethrown
;; expect rethrown: i32:0x1e
;; call delegated
;; expect delegated: i32:0x2
;; call out
;; expect out: trap: uncaught exception
;; call out-caught
;; expect out-caught: i32:0x63
(module
  (tag $pair (param i32 i64))
  (tag $empty)
  (func $throw2 (throw $pair (i32.const 7) (i64.const 8)))
  (func $throw1 (local i64) (call $throw2))
  (func (export "across") (result i32 i64)
    (try (result i32 i64)
      (do (call $throw1) (i32.const 0) (i64.const 0))
      (catch $pair)))
  (func (export "rethrown") (result i32)
    (try $outer (result i32)
      (do
        (try $middle (result i32)
          (do (throw $pair (i32.const 30) (i64.const 1)))
          (catch_all
            (try (result i32)
              (do (throw $empty))
              (catch $empty (rethrow $middle))))))
      (catch $pair (drop))))
  (func (export "delegated") (result i32)
    (try $outer (result i32)
      (do
        (try $inner (result i32)
          (do
            (try (result i32)
              (do (throw $empty))
              (delegate $outer)))
          (catch_all (i32.const 1))))
      (catch_all (i32.const 2))))
  (func $out (export "out")
    (try (do (try (do (throw $empty)) (delegate 1))) (catch_all)))
  (func (export "out-caught") (result i32)
    (try (result i32)
      (do (call $out) (i32.const 0))
      (catch $empty (i32.const 99)))))
