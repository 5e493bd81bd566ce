;; Structures, arrays and casts: results and operands in accumulators, tests of references in branches, structures of
;; few fields.
(module
  (type $a (sub (struct (field (mut i32)) (field (mut f64)))))
  (type $b (sub final $a (struct (field (mut i32)) (field (mut f64)) (field (mut (ref null $b))))))
  (type $n (array (mut i16)))
  (type $r (array (mut (ref null $a))))
  (func (param (ref $b)) (result i32) local.get 0 struct.get $b 2 struct.get $a 0 i32.const 1 i32.add)
  (func (param (ref $a) f64) local.get 0 local.get 0 struct.get $a 1 local.get 1 f64.mul struct.set $a 1)
  (func (param (ref $b)) local.get 0 ref.null $b struct.set $b 2)
  (func (param (ref $n) i32) (result i32)
    local.get 0 local.get 1 i32.const 1 i32.add array.get_u $n local.get 0 i32.const 3 array.get_s $n i32.mul)
  (func (param (ref $r) i32 (ref $b))
    local.get 0 local.get 1 local.get 2 struct.get $b 2 array.set $r)
  (func (param (ref $n)) (result i32) local.get 0 array.len i32.eqz if (result i32) i32.const 1 else i32.const 2 end)
  (func (param anyref) (result i32)
    block $b (result (ref $b)) local.get 0 br_on_cast $b anyref (ref $b) ref.is_null return end struct.get $a 0)
  (func (param anyref) (result (ref null $a)) local.get 0 ref.cast (ref null $a))
  (func (param anyref) (result i32) local.get 0 ref.test (ref $b) if (result i32) i32.const 1 else i32.const 2 end)
  (func (param anyref) (result i32) local.get 0 ref.test (ref i31) i32.eqz)
  (func (param (ref null $b)) (result i32) (local i32)
    block $end
      loop $more
        local.get 1
        local.get 0 br_on_null $end
        struct.get $b 0 i32.add local.set 1
        local.get 0 struct.get $b 2 local.set 0
        br $more
      end
      unreachable
    end
    local.get 1)
  (func (param i32 f64) (result (ref $a)) local.get 0 local.get 1 struct.new $a)
  (func (param i32 f64 (ref $b)) (result anyref) (local (ref null $b))
    local.get 0 local.get 1 local.get 2 struct.new $b local.set 3 local.get 3)
  (func (result (ref $a)) struct.new_default $a)
  (func (param (ref $n) i32) local.get 0 local.get 1 local.get 0 i32.const 0 i32.const 8 array.copy $n $n))
