;; Throws and catches, in the older form: each turn descends some frames, up to 31, and throws in two of three turns; a block
;; half-way catches, and throws every fourth again. The size is the number of turns.
(global $default i64 (i64.const 3000000))
(tag $e (param i64))

(func $descend (param $n i32) (param $turn i64) (result i64)
  (if (i32.eqz (local.get $n))
    (then
      (if (i64.eqz (i64.rem_u (local.get $turn) (i64.const 3)))
        (then (return (i64.const 1))))
      (throw $e (local.get $turn))))
  (if (result i64) (i32.eq (local.get $n) (i32.const 16))
    (then
      (try (result i64)
        (do (call $descend (i32.const 15) (local.get $turn)))
        (catch $e
          (if (i64.eqz (i64.and (local.get $turn) (i64.const 3)))
            (then (rethrow 1)))
          (drop)
          (i64.const 5))))
    (else
      (i64.add (i64.const 1)
        (call $descend (i32.sub (local.get $n) (i32.const 1)) (local.get $turn))))))

(func $kernel (param $size i64) (result i64)
  (local $sum i64)
  (block $done
    (loop $next
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $sum
        (i64.add
          (i64.mul (local.get $sum) (i64.const 31))
          (try (result i64)
            (do (call $descend (i32.wrap_i64 (i64.and (local.get $size) (i64.const 31)))
                               (local.get $size)))
            (catch $e))))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $next)))
  (local.get $sum))
