;; memory.fill and memory.copy over 4 MiB, forwards and backwards overlapping, and many short ones.
;; The result is a sum over samples of what memory then holds.
(global $default i64 (i64.const 5000))
(global $base i32 (i32.const 65536))
(global $length i32 (i32.const 4194304))

(func $sample (result i64)
  (local $p i32) (local $end i32) (local $sum i64)
  (local.set $p (global.get $base))
  (local.set $end (i32.add (local.get $p) (global.get $length)))
  (loop $next
    (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31))
                             (i64.load (local.get $p))))
    (local.set $p (i32.add (local.get $p) (i32.const 65528)))
    (br_if $next (i32.lt_u (local.get $p) (i32.sub (local.get $end) (i32.const 8)))))
  (local.get $sum))

;; 4,096 copies and fills of 1 to 64 bytes.
(func $short (param $seed i32)
  (local $i i32) (local $p i32)
  (loop $next
    (local.set $p (i32.add (global.get $base) (i32.mul (local.get $i) (i32.const 512))))
    (memory.fill (local.get $p)
                 (i32.add (local.get $seed) (local.get $i))
                 (i32.add (i32.and (local.get $i) (i32.const 63)) (i32.const 1)))
    (memory.copy (i32.add (local.get $p) (i32.const 200)) (local.get $p)
                 (i32.add (i32.and (local.get $seed) (i32.const 63)) (i32.const 1)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 4096)))))

(func $kernel (param $size i64) (result i64)
  (local $round i32) (local $half i32) (local $middle i32) (local $sum i64)
  (if (i32.eq (memory.grow (i32.const 65)) (i32.const -1))
    (then unreachable))
  (local.set $half (i32.div_u (global.get $length) (i32.const 2)))
  (local.set $middle (i32.add (global.get $base) (local.get $half)))
  (block $done
    (loop $next
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $round (i32.wrap_i64 (local.get $size)))
      (memory.fill (global.get $base) (local.get $round) (local.get $half))
      (call $short (local.get $round))
      (memory.copy (local.get $middle) (global.get $base) (local.get $half))
      (memory.copy (i32.add (global.get $base) (i32.const 3)) (global.get $base)
                   (i32.sub (global.get $length) (i32.const 3)))
      (memory.copy (global.get $base) (i32.add (global.get $base) (i32.const 5))
                   (i32.sub (global.get $length) (i32.const 5)))
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 131)) (call $sample)))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $next)))
  (local.get $sum))
