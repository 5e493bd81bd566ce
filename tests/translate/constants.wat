;; A constant emits nothing until it is consumed: it goes into the instruction, into a slot when no variant
;; takes it there, and is copied where control merges. Subtracting one becomes adding its negative, and
;; an operation that does not commute keeps its order.
(module
  (global $g (mut i64) (i64.const 0))
  (func (param i32) (result i32)
    local.get 0 i32.const 10 i32.sub)
  (func (param i32) (result i32)
    i32.const 10 local.get 0 i32.sub)
  (func (param i32) (result i32)
    i32.const 10 local.get 0 i32.add)
  ;; 64 bits: a third cell
  (func (param i64) (result i64)
    local.get 0 i64.const 0x123456789abcdef0 i64.xor)
  ;; two constants: one goes into a slot
  (func (result i32)
    i32.const 10 i32.const 20 i32.rotl)
  ;; into locals: two of 32 bits in one instruction, one of 64 bits
  (func (result i32) (local i32 i32 i64)
    i32.const 1 local.set 0
    i32.const 2 local.set 1
    i64.const -1 local.set 2
    local.get 0 local.get 1 i32.eq local.get 2 i64.eqz i32.and)
  (func
    i64.const 7 global.set $g)
  ;; select between constants
  (func (param i32) (result i32)
    i32.const 1 i32.const 2 local.get 0 select)
  (func (param i32 i32) (result i32)
    local.get 0 i32.const 2 local.get 0 local.get 1 i32.lt_u select))
