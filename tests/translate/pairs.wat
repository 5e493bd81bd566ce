;; Two operations of which the second consumes the first's result become one instruction, where such an
;; instruction exists: a dispatch less. A pair is a choice of the translator: other sequences are just as
;; right as two instructions.
(module
  (memory 1)
  (global $sp (mut i32) (i32.const 65536))
  (func (param i32 i32 i32) (result i32)
    local.get 0 local.get 1 i32.add local.get 2 i32.xor)
  ;; a constant in either half
  (func (param i32 i32) (result i32)
    local.get 0 i32.const 3 i32.shl i32.const 255 i32.and)
  ;; 64-bit constants take cells of their own
  (func (param i64) (result i64)
    local.get 0 i64.const 0x9e3779b97f4a7c15 i64.mul i64.const 31 i64.shr_u)
  ;; the first result as the right operand: only where the second operation allows it
  (func (param f64 f64 f64) (result f64)
    local.get 0 local.get 1 local.get 2 f64.mul f64.sub)
  (func (param i32 i32 i32) (result i32)
    local.get 0 local.get 1 local.get 2 i32.mul i32.sub)
  ;; an address
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add i32.load8_u offset=7)
  ;; what was loaded
  (func (param i32 i32) (result i32)
    local.get 0 i32.load offset=8 local.get 1 i32.sub)
  ;; the first's operand is in the accumulator
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl local.get 0 i32.add local.get 1 i32.mul)
  ;; a pair is not the first of another pair
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add local.get 0 i32.mul local.get 1 i32.xor local.get 0 i32.or)
  ;; moves: two copies, two constants
  (func (param i32 i32 i32 i32)
    local.get 0 local.set 1 local.get 2 local.set 3)
  ;; the stack pointer of compiled programs: read, changed, kept, written
  (func (result i32) (local i32)
    global.get $sp i32.const 16 i32.sub local.tee 0 global.set $sp
    local.get 0 i32.const 0 i32.store
    local.get 0 i32.const 16 i32.add global.set $sp
    local.get 0))
