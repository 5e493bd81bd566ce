;; Strings of 16-bit units, built from numbers: appended to a buffer that grows by copying, concatenated, compared,
;; searched. The size is the number of turns.
(type $units (array (mut i16)))
(type $buffer (struct (field $units (mut (ref $units))) (field $length (mut i32))))
(global $default i64 (i64.const 400))

(func $append (param $buffer (ref $buffer)) (param $string (ref $units))
  (local $length i32) (local $more i32) (local $units (ref $units)) (local $grown (ref $units))
  (local.set $length (struct.get $buffer $length (local.get $buffer)))
  (local.set $more (array.len (local.get $string)))
  (local.set $units (struct.get $buffer $units (local.get $buffer)))
  (if (i32.gt_u (i32.add (local.get $length) (local.get $more)) (array.len (local.get $units)))
    (then
      (local.set $grown
        (array.new_default $units
          (i32.shl (i32.add (local.get $length) (local.get $more)) (i32.const 1))))
      (array.copy $units $units (local.get $grown) (i32.const 0) (local.get $units) (i32.const 0)
        (local.get $length))
      (struct.set $buffer $units (local.get $buffer) (local.get $grown))
      (local.set $units (local.get $grown))))
  (array.copy $units $units (local.get $units) (local.get $length) (local.get $string) (i32.const 0)
    (local.get $more))
  (struct.set $buffer $length (local.get $buffer) (i32.add (local.get $length) (local.get $more))))

(func $take (param $buffer (ref $buffer)) (result (ref $units))
  (local $string (ref $units))
  (local.set $string (array.new_default $units (struct.get $buffer $length (local.get $buffer))))
  (array.copy $units $units (local.get $string) (i32.const 0)
    (struct.get $buffer $units (local.get $buffer)) (i32.const 0)
    (struct.get $buffer $length (local.get $buffer)))
  (local.get $string))

(func $decimal (param $n i32) (result (ref $units))
  (local $digits i32) (local $rest i32) (local $string (ref $units))
  (local.set $rest (local.get $n))
  (loop $count
    (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
    (local.set $rest (i32.div_u (local.get $rest) (i32.const 10)))
    (br_if $count (local.get $rest)))
  (local.set $string (array.new_default $units (local.get $digits)))
  (loop $more
    (local.set $digits (i32.sub (local.get $digits) (i32.const 1)))
    (array.set $units (local.get $string) (local.get $digits)
      (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
    (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
    (br_if $more (local.get $digits)))
  (local.get $string))

(func $hash (param $string (ref $units)) (result i32)
  (local $i i32) (local $hash i32) (local $length i32)
  (local.set $length (array.len (local.get $string)))
  (block $end
    (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $length)))
      (local.set $hash
        (i32.add (i32.mul (local.get $hash) (i32.const 31))
                 (array.get_u $units (local.get $string) (local.get $i))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
  (local.get $hash))

;; How often a unit comes in the string.
(func $occurrences (param $string (ref $units)) (param $unit i32) (result i32)
  (local $i i32) (local $found i32)
  (local.set $i (array.len (local.get $string)))
  (loop $next
    (local.set $i (i32.sub (local.get $i) (i32.const 1)))
    (if (i32.eq (array.get_u $units (local.get $string) (local.get $i)) (local.get $unit))
      (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
    (br_if $next (local.get $i)))
  (local.get $found))

(func $kernel (param $size i64) (result i64)
  (local $buffer (ref $buffer)) (local $i i32) (local $sum i64) (local $string (ref $units))
  (local $comma (ref $units))
  (local.set $comma (array.new_fixed $units 2 (i32.const 44) (i32.const 32)))
  (block $done
    (loop $next
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $buffer
        (struct.new $buffer (array.new_default $units (i32.const 16)) (i32.const 0)))
      (local.set $i (i32.const 1000))
      (loop $numbers
        (call $append (local.get $buffer)
          (call $decimal
            (i32.mul (local.get $i) (i32.add (i32.wrap_i64 (local.get $size)) (local.get $i)))))
        (call $append (local.get $buffer) (local.get $comma))
        (local.set $i (i32.sub (local.get $i) (i32.const 1)))
        (br_if $numbers (local.get $i)))
      (local.set $string (call $take (local.get $buffer)))
      (local.set $sum
        (i64.add (i64.mul (local.get $sum) (i64.const 31))
          (i64.extend_i32_u
            (i32.add (call $hash (local.get $string))
                     (call $occurrences (local.get $string) (i32.const 51))))))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $next)))
  (local.get $sum))
