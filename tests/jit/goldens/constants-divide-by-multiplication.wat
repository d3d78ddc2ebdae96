;; A division by a constant is a multiplication and a shift; i64 takes the upper half of the product.
(module
  (func $tenth (param $x i32) (result i32) (i32.div_u (local.get $x) (i32.const 10)))
  (func $modulo (param $x i64) (result i64) (i64.rem_u (local.get $x) (i64.const 1021)))
  (func $quarter (param $x i32) (result i32) (i32.div_s (local.get $x) (i32.const 4)))
  (func $third (param $x i64) (result i64) (i64.div_s (local.get $x) (i64.const 3))))
;; golden: ASM
;; tenth:
;; L0:
;; mov eax, edi
;; mov r11d, 3435973837
;; imul rax, r11
;; shr rax, 35
;; mov eax, eax
;; ret
;; modulo:
;; L0:
;; mov r11, 54201990422261171
;; mov rax, rdi
;; mul r11
;; mov rax, rdi
;; sub rax, rdx
;; shr rax, 1
;; add rax, rdx
;; shr rax, 9
;; imul rax, rax, 1021
;; sub rdi, rax
;; mov rax, rdi
;; ret
;; quarter:
;; L0:
;; mov eax, edi
;; sar eax, 31
;; shr eax, 30
;; add eax, edi
;; sar eax, 2
;; ret
;; third:
;; L0:
;; mov r11, 6148914691236517206
;; mov rax, rdi
;; imul r11
;; mov rax, rdx
;; sar rdi, 63
;; sub rax, rdi
;; ret
