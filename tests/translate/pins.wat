;; In a function with a loop the two locals that its loops use most live in registers, p and q, with copies in
;; the slots that FRAME_PIN_P and FRAME_PIN_Q name (s6 and s7 below). Instructions have variants that
;; read and write them; whatever has none reads the slot, and what writes only the slot is followed by a
;; reload. The prologue (enter) brings parameters there.
(module
  (memory 1)
  (global $g (mut i32) (i32.const 0))
  ;; the sum over an array: pointer and sum
  (func (param i32 i32) (result i32) (local i32)
    loop
      local.get 2 local.get 0 i32.load i32.add local.set 2
      local.get 0 i32.const 4 i32.add local.tee 0
      local.get 1 i32.ne br_if 0
    end
    local.get 2)
  ;; filling memory: address in one, value in the other
  (func (param i32 i32)
    loop
      local.get 0 local.get 1 i32.store8
      local.get 1 local.get 0 i32.xor local.set 1
      local.get 0 i32.const 1 i32.sub local.tee 0
      br_if 0
    end)
  ;; written by what has no variant: a reload follows
  (func (param i32 i32)
    loop
      local.get 0 i32.clz local.set 0
      global.get $g local.set 1
      local.get 0 local.get 1 i32.lt_u br_if 0
    end)
  ;; a copy and a constant into pins
  (func (param i64 i64)
    loop
      local.get 1 local.set 0
      i64.const 12 local.set 1
      local.get 0 local.get 1 i64.lt_s br_if 0
    end)
  ;; 64-bit parameters and a cleared local
  (func (param i64) (result i64) (local i64)
    loop
      local.get 1 local.get 0 i64.mul i64.const 1 i64.add local.set 1
      local.get 0 i64.const -1 i64.add local.tee 0 i64.const 0 i64.ne br_if 0
    end
    local.get 1)
  ;; no loop: no pins
  (func (param i32) (result i32)
    local.get 0 local.get 0 i32.mul))
