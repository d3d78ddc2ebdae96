;; A start function without arguments: its slots are null, and were copied from.
;; call none
;; expect none: -
(module
  (func $start)
  (func (export "none"))
  (start $start))
