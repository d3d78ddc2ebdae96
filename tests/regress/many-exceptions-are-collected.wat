;; 100,000 exceptions, each held by a catch while another is thrown: the collector keeps those that are still in use.
;; call run i32:0x186a0
;; expect run: i32:0x186a0
(module
  (tag $t (param i32))
  (func $throw (param i32) (throw $t (local.get 0)))
  (func (export "run") (param $n i32) (result i32)
    (local $i i32) (local $sum i32)
    (loop $more
      (local.set $sum (i32.add (local.get $sum)
        (try (result i32)
          (do
            (try $held (result i32)
              (do (call $throw (i32.const 1)) (i32.const 0))
              (catch $t
                (drop)
                (try (result i32)
                  (do (call $throw (i32.const 5)) (i32.const 0))
                  (catch_all (rethrow $held))))))
          (catch $t))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $sum)))
