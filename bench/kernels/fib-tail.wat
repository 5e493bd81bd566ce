;; Fibonacci with accumulators: each call is in tail position, yet is an ordinary call, so that
;; frames pile up 400 deep before they all return. The size is the number of such descents.
(global $default i64 (i64.const 80000))

(func $fib (param $n i32) (param $a i64) (param $b i64) (result i64)
  (if (result i64) (i32.eqz (local.get $n))
    (then (local.get $a))
    (else
      (call $fib (i32.sub (local.get $n) (i32.const 1))
                 (local.get $b)
                 (i64.add (local.get $a) (local.get $b))))))

(func $kernel (param $size i64) (result i64)
  (local $sum i64)
  (block $done
    (loop $next
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $sum
        (i64.add (local.get $sum)
                 (call $fib (i32.const 400) (local.get $size) (i64.const 1))))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $next)))
  (local.get $sum))
