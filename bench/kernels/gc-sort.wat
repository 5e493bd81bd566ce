;; Sorts an array of numbers by quicksort, then one of objects by heap sort with a comparison of their fields. The size
;; is the number of elements.
(type $numbers (array (mut i32)))
(type $item (struct (field $key i32) (field $weight f64)))
(type $items (array (mut (ref null $item))))
(global $default i64 (i64.const 150000))

(func $quicksort (param $a (ref $numbers)) (param $low i32) (param $high i32)
  (local $i i32) (local $j i32) (local $pivot i32) (local $x i32)
  (if (i32.ge_s (local.get $low) (local.get $high)) (then (return)))
  (local.set $i (local.get $low))
  (local.set $j (local.get $high))
  (local.set $pivot
    (array.get $numbers (local.get $a)
      (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1))))
  (loop $partition
    (block $up
      (loop $next
        (br_if $up (i32.ge_u (array.get $numbers (local.get $a) (local.get $i)) (local.get $pivot)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (block $down
      (loop $next
        (br_if $down (i32.le_u (array.get $numbers (local.get $a) (local.get $j)) (local.get $pivot)))
        (local.set $j (i32.sub (local.get $j) (i32.const 1)))
        (br $next)))
    (if (i32.le_s (local.get $i) (local.get $j))
      (then
        (local.set $x (array.get $numbers (local.get $a) (local.get $i)))
        (array.set $numbers (local.get $a) (local.get $i)
          (array.get $numbers (local.get $a) (local.get $j)))
        (array.set $numbers (local.get $a) (local.get $j) (local.get $x))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (local.set $j (i32.sub (local.get $j) (i32.const 1)))))
    (br_if $partition (i32.le_s (local.get $i) (local.get $j))))
  (call $quicksort (local.get $a) (local.get $low) (local.get $j))
  (call $quicksort (local.get $a) (local.get $i) (local.get $high)))

(func $less (param $a (ref null $item)) (param $b (ref null $item)) (result i32)
  (f64.lt (struct.get $item $weight (local.get $a)) (struct.get $item $weight (local.get $b))))

(func $sift (param $a (ref $items)) (param $at i32) (param $count i32)
  (local $child i32) (local $moved (ref null $item))
  (local.set $moved (array.get $items (local.get $a) (local.get $at)))
  (block $end
    (loop $down
      (local.set $child (i32.add (i32.shl (local.get $at) (i32.const 1)) (i32.const 1)))
      (br_if $end (i32.ge_u (local.get $child) (local.get $count)))
      (if (i32.lt_u (i32.add (local.get $child) (i32.const 1)) (local.get $count))
        (then
          (local.set $child
            (i32.add (local.get $child)
              (call $less (array.get $items (local.get $a) (local.get $child))
                (array.get $items (local.get $a) (i32.add (local.get $child) (i32.const 1))))))))
      (br_if $end
        (i32.eqz (call $less (local.get $moved)
          (array.get $items (local.get $a) (local.get $child)))))
      (array.set $items (local.get $a) (local.get $at)
        (array.get $items (local.get $a) (local.get $child)))
      (local.set $at (local.get $child))
      (br $down)))
  (array.set $items (local.get $a) (local.get $at) (local.get $moved)))

(func $heapsort (param $a (ref $items))
  (local $i i32) (local $count i32) (local $first (ref null $item))
  (local.set $count (array.len (local.get $a)))
  (local.set $i (i32.shr_u (local.get $count) (i32.const 1)))
  (loop $build
    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
    (call $sift (local.get $a) (local.get $i) (local.get $count))
    (br_if $build (local.get $i)))
  (loop $take
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (local.set $first (array.get $items (local.get $a) (i32.const 0)))
    (array.set $items (local.get $a) (i32.const 0)
      (array.get $items (local.get $a) (local.get $count)))
    (array.set $items (local.get $a) (local.get $count) (local.get $first))
    (call $sift (local.get $a) (i32.const 0) (local.get $count))
    (br_if $take (i32.gt_u (local.get $count) (i32.const 1)))))

(func $kernel (param $size i64) (result i64)
  (local $numbers (ref $numbers)) (local $items (ref $items)) (local $i i32) (local $x i32)
  (local $count i32) (local $sum i64)
  (local.set $count (i32.wrap_i64 (local.get $size)))
  (local.set $numbers (array.new_default $numbers (local.get $count)))
  (local.set $items (array.new_default $items (local.get $count)))
  (local.set $x (i32.const 12345))
  (loop $fill
    (local.set $x (i32.add (i32.mul (local.get $x) (i32.const 1664525)) (i32.const 1013904223)))
    (array.set $numbers (local.get $numbers) (local.get $i) (local.get $x))
    (array.set $items (local.get $items) (local.get $i)
      (struct.new $item (local.get $i) (f64.convert_i32_s (local.get $x))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $fill (i32.lt_u (local.get $i) (local.get $count))))
  (call $quicksort (local.get $numbers) (i32.const 0) (i32.sub (local.get $count) (i32.const 1)))
  (call $heapsort (local.get $items))
  (local.set $i (i32.const 0))
  (loop $add
    (local.set $sum
      (i64.add (i64.mul (local.get $sum) (i64.const 31))
        (i64.extend_i32_u
          (i32.xor (array.get $numbers (local.get $numbers) (local.get $i))
            (struct.get $item $key (array.get $items (local.get $items) (local.get $i)))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $add (i32.lt_u (local.get $i) (local.get $count))))
  (local.get $sum))
