;; A leaf that can neither trap nor call stands in its caller, which so becomes one itself.
(module
  (func $hash (param $x i32) (result i32) (i32.rotr (local.get $x) (i32.const 4)))
  (func $both (param $x i32) (param $y i32) (result i32) (i32.xor (call $hash (local.get $x)) (call $hash (local.get $y)))))
;; golden: ASM
;; hash:
;; L0:
;; mov eax, edi
;; ror eax, 4
;; ret
;; both:
;; L0:
;; mov eax, edi
;; ror eax, 4
;; ror esi, 4
;; xor eax, esi
;; ret
