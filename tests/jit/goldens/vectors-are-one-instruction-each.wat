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
;; callee:
;; sub rsp, 8
;; L0:
;; add rsp, 8
;; ret
;; blend:
;; sub rsp, 8
;; L0:
;; movups xmm0, xmmword ptr [r14+rdi+16]
;; paddsw xmm0, xmmword ptr [L1]
;; movups xmmword ptr [r14+rdi], xmm0
;; movups xmm2, xmmword ptr [r14+rdi+32]
;; movaps xmm1, xmm0
;; punpcklbw xmm1, xmm2
;; pmovmskb eax, xmm1
;; add rsp, 8
;; ret
;; align 16
;; L1:
;; .db 0x01, 0x00, 0x02, 0x00, 0x03, 0x00, 0x04, 0x00
;; .db 0x05, 0x00, 0x06, 0x00, 0x07, 0x00, 0x08, 0x00
;; guarded:
;; push rbx
;; push rbp
;; push r9
;; push r10
;; push r12
;; push r13
;; sub rsp, 8
;; cmp rsp, qword ptr [r15+40]
;; jb L5
;; L6:
;; L0:
;; mov ebx, edi
;; mov qword ptr [rsp], rbx
;; movd xmm0, ebx
;; pshufd xmm0, xmm0, 0
;; .db 0xE8
;; .db 0x00, 0x00, 0x00, 0x00
;; L1:
;; mov ebx, 1
;; L2:
;; mov eax, ebx
;; add rsp, 8
;; pop r13
;; pop r12
;; pop r10
;; pop r9
;; pop rbp
;; pop rbx
;; ret
;; L3:
;; mov rdi, r15
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+152]
;; mov ebx, dword ptr [rsp]
;; short jmp L2
;; L4:
;; short jmp L3
;; L7:
;; ud2
;; L5:
;; cmp rsp, qword ptr [r15+120]
;; short jb L7
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; short jmp L6
