;; Iterative Fibonacci modulo 2^64: a tight loop that carries two values round.
(global $default i64 (i64.const 100000000))

(func $kernel (param $size i64) (result i64)
  (local $a i64) (local $b i64) (local $sum i64)
  (local.set $b (i64.const 1))
  (block $done
    (br_if $done (i64.eqz (local.get $size)))
    (loop $next
      (local.set $sum (i64.add (local.get $a) (local.get $b)))
      (local.set $a (local.get $b))
      (local.set $b (local.get $sum))
      (br_if $next
        (i64.ne (local.tee $size (i64.sub (local.get $size) (i64.const 1))) (i64.const 0)))))
  (local.get $a))
