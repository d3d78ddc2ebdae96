;; A load is not repeated behind a branch that writes nothing, nor behind a store beside it; a mask that changes nothing is dropped.
(module
  (memory 1)
  (func $again (param $p i32) (param $q i32) (result i32) (local $x i32)
    (local.set $x (i32.load (local.get $p)))
    (if (local.get $q) (then (local.set $q (i32.load8_u (local.get $q)))))
    (i32.store offset=8 (local.get $p) (i32.and (i32.load8_u offset=1 (local.get $p)) (i32.const 255)))
    (i32.add (i32.add (local.get $x) (local.get $q)) (i32.load (local.get $p)))))
;; golden: IR
;; again:
;;   b0:
;;     v0:i32 = param[0]
;;     v1:i32 = param[1]
;;     v3:i32 = load32+0 v0
;;     branch v1 -> b3 b2
;;   b3: <- b0
;;     v5:i32 = load8+0 v1
;;     jump -> b1
;;   b2: <- b0
;;     jump -> b1
;;   b1: <- b3 b2
;;     v8:i32 = phi v5, v1
;;     v9:i32 = load8+1 v0
;;     store32+8 v0, v9
;;     v13:i32 = add v3, v8
;;     v15:i32 = add v13, v3
;;     return v15 ->
