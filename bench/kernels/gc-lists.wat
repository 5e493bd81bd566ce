;; Linked lists: made, mapped, filtered, reversed, sorted by merging. The size is the number of turns.
(type $list (struct (field $value i32) (field $next (mut (ref null $list)))))
(global $default i64 (i64.const 160))
(global $length i32 (i32.const 10000))

(func $make (param $seed i32) (result (ref null $list))
  (local $n i32) (local $list (ref null $list))
  (local.set $n (global.get $length))
  (loop $more
    (local.set $seed (i32.add (i32.mul (local.get $seed) (i32.const 1664525)) (i32.const 1013904223)))
    (local.set $list (struct.new $list (i32.shr_u (local.get $seed) (i32.const 8)) (local.get $list)))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (br_if $more (local.get $n)))
  (local.get $list))

(func $reverse (param $list (ref null $list)) (result (ref null $list))
  (local $done (ref null $list)) (local $next (ref null $list))
  (block $end
    (loop $more
      (local.set $next (struct.get $list $next (br_on_null $end (local.get $list))))
      (struct.set $list $next (local.get $list) (local.get $done))
      (local.set $done (local.get $list))
      (local.set $list (local.get $next))
      (br $more)))
  (local.get $done))

;; A list of what the values become, in reverse order.
(func $map (param $list (ref null $list)) (result (ref null $list))
  (local $mapped (ref null $list))
  (block $end
    (loop $more
      (br_if $end (ref.is_null (local.get $list)))
      (local.set $mapped
        (struct.new $list
          (i32.xor (i32.mul (struct.get $list $value (local.get $list)) (i32.const 3)) (i32.const 5))
          (local.get $mapped)))
      (local.set $list (struct.get $list $next (local.get $list)))
      (br $more)))
  (local.get $mapped))

(func $filter (param $list (ref null $list)) (result (ref null $list))
  (local $value i32)
  (local $kept (ref null $list))
  (block $end
    (loop $more
      (br_if $end (ref.is_null (local.get $list)))
      (local.set $value (struct.get $list $value (local.get $list)))
      (local.set $list (struct.get $list $next (local.get $list)))
      (br_if $more (i32.eqz (i32.rem_u (local.get $value) (i32.const 3))))
      (local.set $kept (struct.new $list (local.get $value) (local.get $kept)))
      (br $more)))
  (local.get $kept))

(func $merge (param $a (ref null $list)) (param $b (ref null $list)) (result (ref null $list))
  (local $head (ref $list)) (local $last (ref $list))
  (local.set $head (struct.new $list (i32.const 0) (ref.null $list)))
  (local.set $last (local.get $head))
  (block $done
    (loop $next
      (if (ref.is_null (local.get $a))
        (then (struct.set $list $next (local.get $last) (local.get $b)) (br $done)))
      (if (ref.is_null (local.get $b))
        (then (struct.set $list $next (local.get $last) (local.get $a)) (br $done)))
      (if (i32.le_u (struct.get $list $value (local.get $a)) (struct.get $list $value (local.get $b)))
        (then
          (struct.set $list $next (local.get $last) (local.get $a))
          (local.set $last (ref.as_non_null (local.get $a)))
          (local.set $a (struct.get $list $next (local.get $last))))
        (else
          (struct.set $list $next (local.get $last) (local.get $b))
          (local.set $last (ref.as_non_null (local.get $b)))
          (local.set $b (struct.get $list $next (local.get $last)))))
      (br $next)))
  (struct.get $list $next (local.get $head)))

(func $sort (param $list (ref null $list)) (result (ref null $list))
  (local $slow (ref $list)) (local $fast (ref null $list)) (local $half (ref null $list))
  (if (ref.is_null (local.get $list)) (then (return (local.get $list))))
  (local.set $slow (ref.as_non_null (local.get $list)))
  (local.set $fast (struct.get $list $next (local.get $slow)))
  (if (ref.is_null (local.get $fast)) (then (return (local.get $list))))
  (block $halved
    (loop $next
      (local.set $fast (struct.get $list $next (br_on_null $halved (local.get $fast))))
      (br_if $halved (ref.is_null (local.get $fast)))
      (local.set $fast (struct.get $list $next (local.get $fast)))
      (local.set $slow (ref.as_non_null (struct.get $list $next (local.get $slow))))
      (br $next)))
  (local.set $half (struct.get $list $next (local.get $slow)))
  (struct.set $list $next (local.get $slow) (ref.null $list))
  (call $merge (call $sort (local.get $list)) (call $sort (local.get $half))))

(func $sum (param $list (ref null $list)) (result i64)
  (local $sum i64)
  (block $end
    (loop $more
      (br_if $end (ref.is_null (local.get $list)))
      (local.set $sum
        (i64.add (i64.mul (local.get $sum) (i64.const 31))
                 (i64.extend_i32_u (struct.get $list $value (local.get $list)))))
      (local.set $list (struct.get $list $next (local.get $list)))
      (br $more)))
  (local.get $sum))

(func $kernel (param $size i64) (result i64)
  (local $sum i64)
  (block $done
    (loop $next
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $sum
        (i64.xor (i64.mul (local.get $sum) (i64.const 7))
          (call $sum
            (call $sort
              (call $reverse (call $filter (call $map (call $make (i32.wrap_i64 (local.get $size))))))))))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $next)))
  (local.get $sum))
