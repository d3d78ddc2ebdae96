;; Constants come from the pool, a call in a try has its landing behind everything.
(module
  (memory 1) (tag $t)
  (func $callee (param v128) (result v128) (local.get 0))
  (func $blend (param $p i32) (result i32)
    (v128.store (local.get $p) (i16x8.add_sat_s (v128.load offset=16 (local.get $p)) (v128.const i16x8 1 2 3 4 5 6 7 8)))
    (i8x16.bitmask (i8x16.shuffle 0 16 1 17 2 18 3 19 4 20 5 21 6 22 7 23 (v128.load (local.get $p)) (v128.load offset=32 (local.get $p)))))
  (func $guarded (param $x i32) (result i32)
    (try (result i32) (do (drop (call $callee (i32x4.splat (local.get $x)))) (i32.const 1)) (catch $t (local.get $x)))))
;; golden: ASM
