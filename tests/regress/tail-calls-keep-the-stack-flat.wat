;; A million tail calls, direct and through a table, each with more arguments than its caller has.
;; call direct i32:0xf4240
;; expect direct: i32:0x1
;; call indirect i32:0xf4240
;; expect indirect: i32:0x2
(module
  (type $wide (func (param i32 i64 f64 i64) (result i32)))
  (table 1 funcref)
  (elem (i32.const 0) $odd)
  (func $direct (export "direct") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
    (return_call $even (i32.sub (local.get 0) (i32.const 1)) (i64.const 7) (f64.const 8) (i64.const 9)))
  (func $even (param i32 i64 f64 i64) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
    (return_call $direct (i32.sub (local.get 0) (i32.const 1))))
  (func $indirect (export "indirect") (param i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 2))))
    (return_call_indirect (type $wide)
      (i32.sub (local.get 0) (i32.const 1)) (i64.const 7) (f64.const 8) (i64.const 9) (i32.const 0)))
  (func $odd (type $wide)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 2))))
    (return_call $indirect (i32.sub (local.get 0) (i32.const 1)))))
