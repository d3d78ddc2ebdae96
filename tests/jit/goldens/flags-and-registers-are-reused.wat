;; A comparison with zero takes the flags of the operation before; sums into a third register are a lea; all bits
;; flipped are a not; a comparison's value is set into a register cleared before.
(module
  (func $countdown (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.mul (local.get $sum) (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func $sum (param $a i32) (param $b i32) (result i32)
    (i32.mul (i32.add (local.get $a) (local.get $b)) (i32.xor (i32.sub (local.get $a) (local.get $b)) (i32.const -1))))
  (func $less (param $a i32) (param $b i32) (result i32) (i32.lt_s (local.get $a) (local.get $b))))
;; golden: ASM
;; countdown:
;; L0:
;; xor eax, eax
;; align 16
;; L1:
;; cmp dword ptr [r15+32], 0
;; jne L4
;; L5:
;; imul eax, edi
;; add edi, -1
;; short jne L1
;; L3:
;; ret
;; L4:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; short jmp L5
;; sum:
;; L0:
;; lea eax, qword ptr [rdi+rsi]
;; sub edi, esi
;; not edi
;; imul eax, edi
;; ret
;; less:
;; L0:
;; xor eax, eax
;; cmp edi, esi
;; setl al
;; ret
