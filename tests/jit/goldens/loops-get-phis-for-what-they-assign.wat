;; A local that a loop assigns has a phi at its head; one that it does not assign has none.
(module
  (func $sum (param $n i32) (param $step i32) (result i32) (local $i i32) (local $total i32)
    (loop $again
      (local.set $total (i32.add (local.get $total) (local.get $i)))
      (local.set $i (i32.add (local.get $i) (local.get $step)))
      (br_if $again (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $total)))
;; golden: IR
;; sum:
;;   b0:
;;     v0:i32 = param[0]
;;     v1:i32 = param[1]
;;     jump -> b1
;;   b1: loop <- b0 b1
;;     v5:i32 = phi 0, v9
;;     v6:i32 = phi 0, v8
;;     poll
;;     v8:i32 = add v6, v5
;;     v9:i32 = add v5, v1
;;     v10:i32 = lt_u v9, v0
;;     branch v10 -> b1 b2
;;   b2: <- b1
;;     return v8 ->
