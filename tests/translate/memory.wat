;; Loads and stores of memory 0: the offset is part of the instruction, the address comes from a slot, the
;; accumulator or a pin, and a stored value can be a constant. Narrow loads to i64 that extend with zeros
;; are those to i32.
(module
  (memory 1)
  (func (param i32) (result i32) local.get 0 i32.load offset=12)
  (func (param i32) (result i64) local.get 0 i64.load16_u)
  (func (param i32) (result i64) local.get 0 i64.load32_s)
  (func (param i32) (result f64) local.get 0 i32.load f64.load)
  (func (param i32 i32) local.get 0 local.get 1 i32.store offset=4)
  (func (param i32) local.get 0 i32.const 1 i32.store8)
  (func (param i32) i32.const 16 local.get 0 i32.store16)
  ;; the value, or the address, in the accumulator
  (func (param i32 f32) local.get 0 local.get 1 f32.sqrt f32.store)
  (func (param i32 i64) local.get 0 i32.clz local.get 1 i64.store)
  (func (result i32) memory.size)
  (func (param i32) (result i32) local.get 0 memory.grow))
