;; A hash map with objects as keys, whose hash and equality are methods: insertions, growth, searches, removals. The
;; size is the number of keys.
(rec
  (type $object (sub (struct (field $methods (ref $methods)))))
  (type $hash (func (param (ref $object)) (result i32)))
  (type $equal (func (param (ref $object) (ref null $object)) (result i32)))
  (type $methods (struct (field $hash (ref $hash)) (field $equal (ref $equal)))))
(type $point (sub final $object (struct (field $methods (ref $methods)) (field $x i32) (field $y i32))))
(type $entry (struct (field $key (ref $object)) (field $hash i32) (field $value (mut i64))
                     (field $next (mut (ref null $entry)))))
(type $table (array (mut (ref null $entry))))
(type $map (struct (field $table (mut (ref $table))) (field $count (mut i32))))
(global $default i64 (i64.const 120000))
(global $point_methods (ref $methods)
  (struct.new $methods (ref.func $point_hash) (ref.func $point_equal)))

(func $point_hash (type $hash)
  (local $point (ref $point))
  (local.set $point (ref.cast (ref $point) (local.get 0)))
  (i32.mul
    (i32.xor (i32.mul (struct.get $point $x (local.get $point)) (i32.const 0x9E3779B1))
             (i32.rotl (struct.get $point $y (local.get $point)) (i32.const 16)))
    (i32.const 0x85EBCA6B)))

(func $point_equal (type $equal)
  (local $a (ref $point)) (local $b (ref $point))
  (block $other
    (block $same (result (ref $point))
      (drop (br_on_cast $same (ref null $object) (ref $point) (local.get 1)))
      (br $other))
    (local.set $b)
    (local.set $a (ref.cast (ref $point) (local.get 0)))
    (return
      (i32.and
        (i32.eq (struct.get $point $x (local.get $a)) (struct.get $point $x (local.get $b)))
        (i32.eq (struct.get $point $y (local.get $a)) (struct.get $point $y (local.get $b))))))
  (i32.const 0))

(func $hash_of (param $key (ref $object)) (result i32)
  (call_ref $hash (local.get $key)
    (struct.get $methods $hash (struct.get $object $methods (local.get $key)))))

(func $slot (param $table (ref $table)) (param $hash i32) (result i32)
  (i32.and (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 15)))
           (i32.sub (array.len (local.get $table)) (i32.const 1))))

(func $find (param $map (ref $map)) (param $key (ref $object)) (result (ref null $entry))
  (local $entry (ref null $entry)) (local $hash i32) (local $table (ref $table))
  (local.set $hash (call $hash_of (local.get $key)))
  (local.set $table (struct.get $map $table (local.get $map)))
  (local.set $entry
    (array.get $table (local.get $table) (call $slot (local.get $table) (local.get $hash))))
  (block $none
    (loop $next
      (br_if $none (ref.is_null (local.get $entry)))
      (if (i32.eq (struct.get $entry $hash (local.get $entry)) (local.get $hash))
        (then
          (if (call_ref $equal (local.get $key) (struct.get $entry $key (local.get $entry))
                (struct.get $methods $equal (struct.get $object $methods (local.get $key))))
            (then (return (local.get $entry))))))
      (local.set $entry (struct.get $entry $next (local.get $entry)))
      (br $next)))
  (ref.null $entry))

(func $grow (param $map (ref $map))
  (local $old (ref $table)) (local $new (ref $table)) (local $i i32) (local $at i32)
  (local $entry (ref null $entry)) (local $next (ref null $entry))
  (local.set $old (struct.get $map $table (local.get $map)))
  (local.set $new
    (array.new_default $table (i32.shl (array.len (local.get $old)) (i32.const 1))))
  (loop $chains
    (local.set $entry (array.get $table (local.get $old) (local.get $i)))
    (block $end
      (loop $entries
        (br_if $end (ref.is_null (local.get $entry)))
        (local.set $next (struct.get $entry $next (local.get $entry)))
        (local.set $at
          (call $slot (local.get $new) (struct.get $entry $hash (local.get $entry))))
        (struct.set $entry $next (local.get $entry)
          (array.get $table (local.get $new) (local.get $at)))
        (array.set $table (local.get $new) (local.get $at) (local.get $entry))
        (local.set $entry (local.get $next))
        (br $entries)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $chains (i32.lt_u (local.get $i) (array.len (local.get $old)))))
  (struct.set $map $table (local.get $map) (local.get $new)))

(func $put (param $map (ref $map)) (param $key (ref $object)) (param $value i64)
  (local $entry (ref null $entry)) (local $hash i32) (local $at i32) (local $table (ref $table))
  (local.set $entry (call $find (local.get $map) (local.get $key)))
  (if (i32.eqz (ref.is_null (local.get $entry)))
    (then
      (struct.set $entry $value (local.get $entry)
        (i64.add (struct.get $entry $value (local.get $entry)) (local.get $value)))
      (return)))
  (if (i32.ge_u (struct.get $map $count (local.get $map))
                (array.len (struct.get $map $table (local.get $map))))
    (then (call $grow (local.get $map))))
  (local.set $hash (call $hash_of (local.get $key)))
  (local.set $table (struct.get $map $table (local.get $map)))
  (local.set $at (call $slot (local.get $table) (local.get $hash)))
  (array.set $table (local.get $table) (local.get $at)
    (struct.new $entry (local.get $key) (local.get $hash) (local.get $value)
      (array.get $table (local.get $table) (local.get $at))))
  (struct.set $map $count (local.get $map)
    (i32.add (struct.get $map $count (local.get $map)) (i32.const 1))))

(func $key (param $i i32) (result (ref $object))
  (struct.new $point (global.get $point_methods) (i32.rem_u (local.get $i) (i32.const 1000))
    (i32.div_u (local.get $i) (i32.const 1000))))

(func $kernel (param $size i64) (result i64)
  (local $map (ref $map)) (local $i i32) (local $count i32) (local $sum i64)
  (local $entry (ref null $entry))
  (local.set $map
    (struct.new $map (array.new_default $table (i32.const 16)) (i32.const 0)))
  (local.set $count (i32.wrap_i64 (local.get $size)))
  (loop $puts
    (call $put (local.get $map)
      (call $key (i32.rem_u (local.get $i) (local.get $count))) (i64.extend_i32_u (local.get $i)))
    (local.set $i (i32.add (local.get $i) (i32.const 3)))
    (br_if $puts (i32.lt_u (local.get $i) (i32.mul (local.get $count) (i32.const 6)))))
  (local.set $i (i32.const 0))
  (loop $finds
    (local.set $entry (call $find (local.get $map) (call $key (local.get $i))))
    (local.set $sum (i64.mul (local.get $sum) (i64.const 31)))
    (if (i32.eqz (ref.is_null (local.get $entry)))
      (then
        (local.set $sum
          (i64.add (local.get $sum) (struct.get $entry $value (local.get $entry))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $finds (i32.lt_u (local.get $i) (i32.mul (local.get $count) (i32.const 2)))))
  (i64.add (local.get $sum) (i64.extend_i32_u (struct.get $map $count (local.get $map)))))
