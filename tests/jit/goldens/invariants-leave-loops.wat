;; A product that is the same at each turn is computed in front of the loop; a sum, which is cheap, and what may trap stay.
(module (memory 1)
  (func $scale (param $n i32) (param $a i32) (param $b i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum)
        (i32.xor (i32.add (local.get $a) (local.get $b)) (i32.xor (i32.mul (local.get $a) (local.get $b)) (i32.load (local.get $b))))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
;; golden: IR
;; scale:
;;   b0:
;;     v0:i32 = param[0]
;;     v1:i32 = param[1]
;;     v2:i32 = param[2]
;;     v9:i32 = mul v1, v2
;;     jump -> b1
;;   b1: loop <- b0 b1
;;     v5:i32 = phi v0, v15
;;     v6:i32 = phi 0, v13
;;     poll
;;     v8:i32 = add v1, v2
;;     v10:i32 = load32+0 v2
;;     v11:i32 = xor v9, v10
;;     v12:i32 = xor v8, v11
;;     v13:i32 = add v6, v12
;;     v15:i32 = add v5, -1
;;     branch v15 -> b1 b2
;;   b2: <- b1
;;     return v13 ->
