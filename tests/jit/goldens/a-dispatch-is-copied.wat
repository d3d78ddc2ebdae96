;; An interpreter's dispatch, a short block that goes on by a jump table of at least 64 entries, is copied to each jump to it.
(module (memory 1)
  (func $run (param $pc i32) (param $x i32) (result i32)
    (loop $next
      (block (block (block (block (block (block (block (block (block 
        (br_table 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 8 (i32.load8_u (local.get $pc)))
      ) (local.set $x (i32.add (local.get $x) (i32.const 3))) (local.set $pc (i32.add (local.get $pc) (i32.const 1))) (br $next)
      ) (local.set $x (i32.xor (local.get $x) (i32.const 4))) (local.set $pc (i32.add (local.get $pc) (i32.const 2))) (br $next)
      ) (local.set $x (i32.mul (local.get $x) (i32.const 5))) (local.set $pc (i32.add (local.get $pc) (i32.const 3))) (br $next)
      ) (local.set $x (i32.rotl (local.get $x) (i32.const 6))) (local.set $pc (i32.add (local.get $pc) (i32.const 4))) (br $next)
      ) (local.set $x (i32.add (local.get $x) (i32.const 7))) (local.set $pc (i32.add (local.get $pc) (i32.const 5))) (br $next)
      ) (local.set $x (i32.xor (local.get $x) (i32.const 8))) (local.set $pc (i32.add (local.get $pc) (i32.const 6))) (br $next)
      ) (local.set $x (i32.mul (local.get $x) (i32.const 9))) (local.set $pc (i32.add (local.get $pc) (i32.const 7))) (br $next)
      ) (local.set $x (i32.rotl (local.get $x) (i32.const 10))) (local.set $pc (i32.add (local.get $pc) (i32.const 8))) (br $next)
      ))
    (local.get $x)))
;; golden: ASM
;; run:
;; L0:
;; mov eax, esi
;; align 16
;; L1:
;; cmp dword ptr [r15+32], 0
;; jne L11
;; L12:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L2:
;; add eax, 3
;; add edi, 1
;; cmp dword ptr [r15+32], 0
;; jne L14
;; L15:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L3:
;; xor eax, 4
;; add edi, 2
;; cmp dword ptr [r15+32], 0
;; jne L16
;; L17:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L4:
;; imul eax, eax, 5
;; add edi, 3
;; cmp dword ptr [r15+32], 0
;; jne L18
;; L19:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L5:
;; rol eax, 6
;; add edi, 4
;; cmp dword ptr [r15+32], 0
;; jne L20
;; L21:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L6:
;; add eax, 7
;; add edi, 5
;; cmp dword ptr [r15+32], 0
;; jne L22
;; L23:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L7:
;; xor eax, 8
;; add edi, 6
;; cmp dword ptr [r15+32], 0
;; jne L24
;; L25:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L8:
;; imul eax, eax, 9
;; add edi, 7
;; cmp dword ptr [r15+32], 0
;; jne L26
;; L27:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L9:
;; rol eax, 10
;; add edi, 8
;; cmp dword ptr [r15+32], 0
;; jne L28
;; L29:
;; movzx ecx, byte ptr [r14+rdi]
;; cmp ecx, 64
;; jae L10
;; lea r11, [L13]
;; add r11, qword ptr [r11+rcx*8]
;; jmp r11
;; L10:
;; ret
;; L11:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L12
;; L14:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L15
;; L16:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L17
;; L18:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L19
;; L20:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L21
;; L22:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L23
;; L24:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L25
;; L26:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L27
;; L28:
;; mov r11, qword ptr [r15+72]
;; call qword ptr [r11+32]
;; jmp L29
;; align 16
;; align 8
;; L13:
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
;; .dq (L2 - L13)
;; .dq (L3 - L13)
;; .dq (L4 - L13)
;; .dq (L5 - L13)
;; .dq (L6 - L13)
;; .dq (L7 - L13)
;; .dq (L8 - L13)
;; .dq (L9 - L13)
