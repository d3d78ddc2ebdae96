;; The edges where x86 and wasm differ: minimum over -1, shift counts beyond the width, conversions out of range.
;; call rem i64:0x8000000000000000 i64:0xffffffffffffffff
;; expect rem: i64:0x0
;; call div i32:0x80000000 i32:0xffffffff
;; expect div: trap: unrepresentable
;; call div i32:0x1 i32:0x0
;; expect div: trap: integer divide by zero
;; call shl i32:0x1 i32:0x21
;; expect shl: i32:0x2
;; call trunc f64:0x41dfffffffc00000
;; expect trunc: i32:0x7fffffff
;; call trunc f64:0x41dfffffffe00000
;; expect trunc: i32:0x7fffffff
;; call trunc f64:0x41e0000000000000
;; expect trunc: trap: unrepresentable
;; call trunc f64:0xc1e00000001fffff
;; expect trunc: i32:0x80000000
;; call trunc_u f32:0xbf7fffff
;; expect trunc_u: i64:0x0
;; call trunc_u f32:0x5f800000
;; expect trunc_u: trap: unrepresentable
;; call sat f32:0x7fc00000
;; expect sat: i64:0x0
;; call sat f32:0x5f800000
;; expect sat: i64:0xffffffffffffffff
;; call min f64:0x0 f64:0x8000000000000000
;; expect min: f64:0x8000000000000000
;; call nearest f32:0x40200000
;; expect nearest: f32:0x40000000
(module
  (func (export "rem") (param i64 i64) (result i64) (i64.rem_s (local.get 0) (local.get 1)))
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "shl") (param i32 i32) (result i32) (i32.shl (local.get 0) (local.get 1)))
  (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
  (func (export "trunc_u") (param f32) (result i64) (i64.trunc_f32_u (local.get 0)))
  (func (export "sat") (param f32) (result i64) (i64.trunc_sat_f32_u (local.get 0)))
  (func (export "min") (param f64 f64) (result f64) (f64.min (local.get 0) (local.get 1)))
  (func (export "nearest") (param f32) (result f32) (f32.nearest (local.get 0))))
