;; A machine of four operations whose loop dispatches by br_table. dispatch-tail.wat is the same by tail calls. The size
;; is how often the program of nine operations is executed.
(global $default i64 (i64.const 4000000))
(data (i32.const 65000) "\00\01\02\00\01\02\01\00\03")

(func $kernel (param $size i64) (result i64)
  (local $n i32) (local $pc i32) (local $acc i32)
  (local.set $acc (i32.const 1))
  (local.set $n (i32.wrap_i64 (local.get $size)))
  (local.set $pc (i32.const 65000))
  (loop $loop
    (block $next
      (block $mul
        (block $xor
          (block $add
            (br_table $add $xor $mul $next (i32.load8_u (local.get $pc))))
          (local.set $acc (i32.add (local.get $acc) (local.get $n)))
          (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
          (br $loop))
        (local.set $acc (i32.xor (local.get $acc) (local.get $n)))
        (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
        (br $loop))
      (local.set $acc (i32.mul (local.get $acc) (i32.const 31)))
      (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
      (br $loop))
    (local.set $n (i32.sub (local.get $n) (i32.const 1)))
    (local.set $pc (i32.const 65000))
    (br_if $loop (local.get $n)))
  (i64.extend_i32_u (local.get $acc)))
