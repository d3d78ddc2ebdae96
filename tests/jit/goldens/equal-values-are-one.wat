;; The same expression is computed once where one computation dominates the other; what one instruction gives is computed anew
;; in another block instead of being kept.
(module
  (func $twice (param $a i32) (param $b i32) (result i32)
    (i32.xor
      (i32.mul (local.get $a) (local.get $b))
      (if (result i32) (i32.lt_s (local.get $a) (local.get $b))
        (then (i32.add (i32.mul (local.get $a) (local.get $b)) (i32.add (local.get $a) (local.get $b))))
        (else (i32.sub (i32.mul (local.get $b) (local.get $a)) (i32.add (local.get $a) (local.get $b))))))))
;; golden: IR
;; twice:
;;   b0:
;;     v0:i32 = param[0]
;;     v1:i32 = param[1]
;;     v2:i32 = mul v0, v1
;;     v3:i32 = lt_s v0, v1
;;     branch v3 -> b3 b2
;;   b3: <- b0
;;     v6:i32 = add v0, v1
;;     v7:i32 = add v2, v6
;;     jump -> b1
;;   b2: <- b0
;;     v10:i32 = add v0, v1
;;     v11:i32 = sub v2, v10
;;     jump -> b1
;;   b1: <- b3 b2
;;     v13:i32 = phi v7, v11
;;     v14:i32 = xor v2, v13
;;     return v14 ->
