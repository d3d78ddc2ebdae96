;; A copy of a small constant size reads all, then writes, the highest bytes first; a fill writes.
(module
  (memory 1)
  (func $copy (param $to i32) (param $from i32) (memory.copy (local.get $to) (local.get $from) (i32.const 12)))
  (func $fill (param $to i32) (memory.fill (local.get $to) (i32.const 0) (i32.const 16))))
;; golden: ASM
;; copy:
;; L0:
;; mov rcx, qword ptr [r14+rsi+4]
;; mov rax, qword ptr [r14+rsi]
;; mov qword ptr [r14+rdi+4], rcx
;; mov qword ptr [r14+rdi], rax
;; ret
;; fill:
;; L0:
;; mov qword ptr [r14+rdi+8], 0
;; mov qword ptr [r14+rdi], 0
;; ret
