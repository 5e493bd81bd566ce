;; Casts through a hierarchy of classes: a chain of br_on_cast as a `when` of types makes it, tests of abstract classes,
;; casts to a superclass and to the class itself. The size is the number of turns over an array of objects.
(type $a (sub (struct (field $n i32))))
(type $b (sub $a (struct (field $n i32) (field $m i32))))
(type $c (sub $b (struct (field $n i32) (field $m i32))))
(type $d (sub $c (struct (field $n i32) (field $m i32))))
(type $e (sub final $d (struct (field $n i32) (field $m i32) (field $k i32))))
(type $x (sub $a (struct (field $n i32) (field $x i64))))
(type $y (sub final $x (struct (field $n i32) (field $x i64))))
(type $objects (array (mut anyref)))
(global $default i64 (i64.const 12000))

(func $make (param $i i32) (result anyref)
  (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
    (br_table $0 $1 $2 $3 $4 $5 $6 (i32.rem_u (local.get $i) (i32.const 7))))
    (return (struct.new $a (local.get $i))))
    (return (struct.new $b (local.get $i) (i32.const 2))))
    (return (struct.new $c (local.get $i) (i32.const 3))))
    (return (struct.new $e (local.get $i) (i32.const 4) (i32.const 5))))
    (return (struct.new $x (local.get $i) (i64.const 6))))
    (return (struct.new $y (local.get $i) (i64.const 7))))
  (ref.i31 (local.get $i)))

(func $weigh (param $object anyref) (result i32)
  (local $b (ref $b))
  (block $y (result (ref $y))
    (block $b (result (ref $b))
      (block $e (result (ref $e))
        (block $i31 (result (ref i31))
          (local.get $object)
          (br_on_cast $y anyref (ref $y))
          (br_on_cast $e anyref (ref $e))
          (br_on_cast $b anyref (ref $b))
          (br_on_cast $i31 anyref (ref i31))
          (return
            (i32.add (struct.get $a $n (ref.cast (ref $a))) (i32.const 5))))
        (return (i31.get_u)))
      (return (struct.get $e $k)))
    (local.set $b)
    (return (i32.sub (struct.get $b $m (local.get $b)) (struct.get $b $n (local.get $b)))))
  (return (i32.wrap_i64 (struct.get $x $x))))

(func $test (param $object anyref) (result i32)
  (i32.add (i32.shl (ref.test (ref $d) (local.get $object)) (i32.const 3))
    (i32.add (i32.shl (ref.test (ref $c) (local.get $object)) (i32.const 2))
      (i32.add (i32.shl (ref.test (ref $x) (local.get $object)) (i32.const 1))
        (ref.test (ref struct) (local.get $object))))))

(func $kernel (param $size i64) (result i64)
  (local $objects (ref $objects)) (local $i i32) (local $sum i64) (local $object anyref)
  (local.set $objects (array.new_default $objects (i32.const 256)))
  (loop $fill
    (array.set $objects (local.get $objects) (local.get $i) (call $make (local.get $i)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $fill (i32.lt_u (local.get $i) (i32.const 256))))
  (block $done
    (loop $turns
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $i (i32.const 0))
      (loop $next
        (local.set $object (array.get $objects (local.get $objects) (local.get $i)))
        (local.set $sum
          (i64.add (i64.mul (local.get $sum) (i64.const 3))
            (i64.extend_i32_u
              (i32.add (call $weigh (local.get $object)) (call $test (local.get $object))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $i) (i32.const 256))))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $turns)))
  (local.get $sum))
