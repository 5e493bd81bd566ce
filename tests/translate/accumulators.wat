;; A value that the next instructions consume need not touch memory: its producer writes the accumulator
;; (`acc`, a register; floats and vectors have their own) and its consumer reads it there. Instructions that
;; leave the accumulator alone may lie between them. No accumulator crosses a label or a call.
(module
  (func $callee (result i32) i32.const 1)
  ;; a chain
  (func (param i32 i32 i32) (result i32)
    local.get 0 local.get 1 i32.div_u
    local.get 2 i32.rotl
    local.get 0 i32.rem_u)
  ;; the right operand
  (func (param i32 i32 i32) (result i32)
    local.get 0
    local.get 1 local.get 2 i32.rotl
    i32.rotr)
  ;; only one of two operands fits; the other stays in its home slot
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl
    local.get 1 local.get 0 i32.rotr
    i32.div_u)
  ;; floats
  (func (param f64 f64) (result f64)
    local.get 0 local.get 1 f64.div f64.sqrt f64.neg)
  ;; a copy between producer and consumer does not touch it
  (func (param i32 i32) (result i32) (local i32)
    local.get 0 local.get 1 i32.rotl
    local.get 0 local.set 2
    local.get 2 i32.rotr)
  ;; the value of a block comes through its home slot
  (func (param i32 i32) (result i32)
    block (result i32)
      local.get 0 local.get 1 i32.rotl
      local.get 0 br_if 0
      i32.clz
    end
    i32.ctz)
  ;; a call: so does its argument's neighbour
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl
    call $callee
    i32.rotl))
