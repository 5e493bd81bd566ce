;; Counts a mutable global up to a limit.
(global $default i64 (i64.const 200000000))
(global $n (mut i64) (i64.const 0))

(func $count (param $limit i64)
  (loop $next
    (if (i64.lt_u (global.get $n) (local.get $limit))
      (then
        (global.set $n (i64.add (global.get $n) (i64.const 1)))
        (br $next)))))

(func $kernel (param $size i64) (result i64)
  (call $count (local.get $size))
  (global.get $n))
