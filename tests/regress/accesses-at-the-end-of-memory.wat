;; The last byte is readable, one beyond is not, whatever of address, offset and width crosses; nothing is half written.
;; call load8 i32:0xffff
;; expect load8: i32:0x0
;; call load32 i32:0xfffc
;; expect load32: i32:0x0
;; call load32 i32:0xfffd
;; expect load32: trap: out of bounds memory access
;; call load32 i32:0xffffffff
;; expect load32: trap: out of bounds memory access
;; call far i32:0xffffffff
;; expect far: trap: out of bounds memory access
;; call store64 i32:0xfff9
;; expect store64: trap: out of bounds memory access
;; call load8 i32:0xffff
;; expect load8: i32:0x0
;; call fill i32:0xfff0 i32:0x11
;; expect fill: trap: out of bounds memory access
;; call load8 i32:0xfff0
;; expect load8: i32:0x0
;; call fill i32:0x10000 i32:0x0
;; expect fill: -
;; call fill i32:0x10001 i32:0x0
;; expect fill: trap: out of bounds memory access
;; call grow
;; expect grow: i32:0x1
;; call load32 i32:0xfffd
;; expect load32: i32:0x0
;; expect memory memory 131072 bytes, hash 3b849dc5
(module
  (memory (export "memory") 1 2)
  (func (export "load8") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "load32") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "far") (param i32) (result i32) (i32.load offset=0xffffffff (local.get 0)))
  (func (export "store64") (param i32) (i64.store (local.get 0) (i64.const -1)))
  (func (export "fill") (param i32 i32) (memory.fill (local.get 0) (i32.const 255) (local.get 1)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))))
