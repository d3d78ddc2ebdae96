;; Loads go into the instruction that uses them, a load, change and store of one place become one instruction,
;; and an address needs nothing but its register and displacement.
(module
  (memory 1)
  (func $add (param $a i32) (param $b i32) (result i32)
    (i32.add (local.get $b) (i32.load offset=8 (local.get $a))))
  (func $decrement (param $a i32)
    (i32.store offset=4 (local.get $a) (i32.sub (i32.load offset=4 (local.get $a)) (i32.const 1))))
  (func $is_letter_a (param $a i32) (result i32)
    (if (result i32) (i32.eq (i32.load8_u (local.get $a)) (i32.const 97)) (then (i32.const 10)) (else (i32.const 20)))))
;; golden: ASM
;; add:
;; L0:
;; mov eax, esi
;; add eax, dword ptr [r14+rdi+8]
;; ret
;; decrement:
;; L0:
;; add dword ptr [r14+rdi+4], -1
;; ret
;; is_letter_a:
;; L0:
;; cmp byte ptr [r14+rdi], 97
;; jne L2
;; L1:
;; mov eax, 10
;; jmp L3
;; L2:
;; mov eax, 20
;; L3:
;; ret
