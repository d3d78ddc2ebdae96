;; A v128 takes two slots: locals, block results, select and drop beside values of one slot.
;; call mixed i32:0x1
;; expect mixed: v128:0x00000000000000020000000000000001 i32:0x5
;; call mixed i32:0x0
;; expect mixed: v128:0x00000000000000040000000000000003 i32:0x5
;; call branched i32:0x1
;; expect branched: v128:0x00000000000000090000000000000009
(module
  (func (export "mixed") (param $which i32) (result v128 i32)
    (local $a i64) (local $v v128) (local $b i32) (local $w v128)
    (local.set $v (v128.const i64x2 1 2))
    (local.set $w (v128.const i64x2 3 4))
    (local.set $b (i32.const 5))
    (drop (local.tee $a (i64.const -1)))
    (drop (v128.not (local.get $v)))
    (select (local.get $v) (local.get $w) (local.get $which))
    (local.get $b))
  (func (export "branched") (param i32) (result v128)
    (block (result v128)
      (i32.const 1) (v128.const i64x2 7 7) (i64.const 2)
      (v128.const i64x2 9 9)
      (br_if 0 (local.get 0))
      (drop) (drop) (drop) (drop)
      (v128.const i64x2 0 0))))
