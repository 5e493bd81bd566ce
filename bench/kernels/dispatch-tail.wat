;; The machine of dispatch-table.wat, whose operations are functions: each calls the next one, through a table, in its own
;; place.
(global $default i64 (i64.const 4000000))
(data (i32.const 65000) "\00\01\02\00\01\02\01\00\03")
(type $operation (func (param $pc i32) (param $n i32) (param $acc i32) (result i32)))
(table funcref (elem $add $xor $mul $next))

(func $add (type $operation) (param $pc i32) (param $n i32) (param $acc i32) (result i32)
  (return_call_indirect (type $operation)
    (i32.add (local.get $pc) (i32.const 1))
    (local.get $n)
    (i32.add (local.get $acc) (local.get $n))
    (i32.load8_u (local.get $pc))))

(func $xor (type $operation) (param $pc i32) (param $n i32) (param $acc i32) (result i32)
  (return_call_indirect (type $operation)
    (i32.add (local.get $pc) (i32.const 1))
    (local.get $n)
    (i32.xor (local.get $acc) (local.get $n))
    (i32.load8_u (local.get $pc))))

(func $mul (type $operation) (param $pc i32) (param $n i32) (param $acc i32) (result i32)
  (return_call_indirect (type $operation)
    (i32.add (local.get $pc) (i32.const 1))
    (local.get $n)
    (i32.mul (local.get $acc) (i32.const 31))
    (i32.load8_u (local.get $pc))))

(func $next (type $operation) (param $pc i32) (param $n i32) (param $acc i32) (result i32)
  (local.set $n (i32.sub (local.get $n) (i32.const 1)))
  (if (i32.eqz (local.get $n)) (then (return (local.get $acc))))
  (return_call_indirect (type $operation)
    (i32.const 65001) (local.get $n) (local.get $acc) (i32.load8_u (i32.const 65000))))

(func $kernel (param $size i64) (result i64)
  (i64.extend_i32_u
    (call $next
      (i32.const 65000) (i32.add (i32.wrap_i64 (local.get $size)) (i32.const 1)) (i32.const 1))))
