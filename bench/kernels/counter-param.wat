;; Counts one parameter down to zero while a second one counts the rounds.
(global $default i64 (i64.const 200000000))

(func $count (param $left i32) (param $rounds i32) (result i32)
  (block $done
    (br_if $done (i32.eqz (local.get $left)))
    (loop $next
      (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
      (br_if $next
        (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
  (local.get $rounds))

(func $kernel (param $size i64) (result i64)
  (i64.extend_i32_u (call $count (i32.wrap_i64 (local.get $size)) (i32.const 0))))
