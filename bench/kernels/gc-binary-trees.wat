;; Binary trees: many short-lived ones beside one that lives on. The size is the depth of the largest.
(type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree))))
(global $default i64 (i64.const 16))

(func $make (param $depth i32) (result (ref $tree))
  (if (i32.eqz (local.get $depth))
    (then (return (struct.new_default $tree))))
  (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
  (struct.new $tree (call $make (local.get $depth)) (call $make (local.get $depth))))

(func $count (param $tree (ref null $tree)) (result i32)
  (local $left (ref null $tree))
  (local.set $left (struct.get $tree $left (local.get $tree)))
  (if (ref.is_null (local.get $left))
    (then (return (i32.const 1))))
  (i32.add (i32.const 1)
    (i32.add (call $count (local.get $left))
             (call $count (struct.get $tree $right (local.get $tree))))))

(func $kernel (param $size i64) (result i64)
  (local $most i32) (local $depth i32) (local $turns i32) (local $sum i64) (local $kept (ref null $tree))
  (local.set $most (i32.wrap_i64 (local.get $size)))
  (local.set $kept (call $make (local.get $most)))
  (local.set $depth (i32.const 4))
  (loop $deeper
    (local.set $turns
      (i32.shl (i32.const 1) (i32.sub (i32.add (local.get $most) (i32.const 4)) (local.get $depth))))
    (loop $again
      (local.set $sum
        (i64.add (local.get $sum)
                 (i64.extend_i32_u (call $count (call $make (local.get $depth))))))
      (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
      (br_if $again (local.get $turns)))
    (local.set $sum (i64.mul (local.get $sum) (i64.const 31)))
    (local.set $depth (i32.add (local.get $depth) (i32.const 4)))
    (br_if $deeper (i32.le_s (local.get $depth) (local.get $most))))
  (i64.add (local.get $sum) (i64.extend_i32_u (call $count (local.get $kept)))))
