;; Counts a local up to a limit that is a parameter.
(global $default i64 (i64.const 200000000))

(func $count (param $limit i64) (result i64)
  (local $n i64)
  (block $done
    (loop $next
      (br_if $done (i64.ge_u (local.get $n) (local.get $limit)))
      (local.set $n (i64.add (local.get $n) (i64.const 1)))
      (br $next)))
  (local.get $n))

(func $kernel (param $size i64) (result i64)
  (call $count (local.get $size)))
