;; Branches that carry values out of blocks with other values below them; br_table's labels differ in depth.
;; call table i32:0x0
;; expect table: i32:0x3f2
;; call table i32:0x1
;; expect table: i32:0x6e
;; call table i32:0x9
;; expect table: i32:0xa
;; call pair i32:0x1
;; expect pair: i32:0x5 i64:0x6
;; call pair i32:0x0
;; expect pair: i32:0x7 i64:0x8
(module
  (func (export "table") (param i32) (result i32)
    (block $out (result i32)
      (i32.add (i32.const 100)
        (block $middle (result i32)
          (i32.add (i32.const 900)
            (block $inner (result i32)
              (i64.const 1) (f64.const 2)
              (i32.const 10) (local.get 0)
              (br_table $inner $middle $out)))))))
  (func (export "pair") (param i32) (result i32 i64)
    (f64.const 1)
    (block (result i32 i64)
      (f32.const 2)
      (i32.const 5) (i64.const 6)
      (br_if 0 (local.get 0))
      (drop) (drop) (drop)
      (i32.const 7) (i64.const 8))
    (return)))
