;; Bound, signature and null are checked with two compares; arguments and results stay in registers.
(module
  (type $binary (func (param i32 i32) (result i32)))
  (table 4 funcref)
  (func $apply (param $x i32) (param $f i32) (result i32)
    (i32.add (call_indirect (type $binary) (local.get $x) (i32.const 1) (local.get $f)) (local.get $x))))
;; golden: ASM
;; apply:
;; push rbx
;; cmp rsp, qword ptr [r15+40]
;; jb L1
;; L2:
;; L0:
;; mov ebx, edi
;; mov r11d, esi
;; cmp r11, qword ptr [r15+24]
;; jae L4
;; shl r11, 4
;; add r11, qword ptr [r15+16]
;; cmp dword ptr [r11+8], 0
;; jne L5
;; mov edi, ebx
;; mov esi, 1
;; call qword ptr [r11]
;; add eax, ebx
;; pop rbx
;; ret
;; L3:
;; ud2
;; L4:
;; ud2
;; L5:
;; cmp dword ptr [r11+8], -1
;; je L6
;; ud2
;; L6:
;; ud2
;; L1:
;; cmp rsp, qword ptr [r15+120]
;; short jb L3
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; short jmp L2
