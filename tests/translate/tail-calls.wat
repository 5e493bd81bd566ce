;; A tail call's arguments go where the caller's parameters are. Of the same kinds, they are moved there one by one, and the
;; frame stays (tail_jump); a call of the function itself jumps to its start. Otherwise they are brought where a
;; call's arguments lie, and the instruction copies them. A return follows where the callee may be the host's.
(module
  (type $binary (func (param i32 i32) (result i32)))
  (import "m" "imported" (func $imported (param i32 i32) (result i32)))
  (table 1 funcref)
  (func $none)
  (func $one (param i32) (result i32) local.get 0)
  (func $two (param i32 i32) (result i32) local.get 0)
  (func $wide (param i32 v128) (result i32) local.get 0)
  (func return_call $none)
  ;; the parameters as they are
  (func (param i32 i32) (result i32) local.get 0 local.get 1 return_call $two)
  ;; exchanged, the same one twice, a constant
  (func (param i32 i32) (result i32) local.get 1 local.get 0 return_call $two)
  (func (param i32 i32) (result i32) local.get 1 local.get 1 return_call $two)
  (func (param i32 i32) (result i32) i32.const 3 local.get 0 return_call $two)
  ;; computed: the last one goes to its parameter directly
  (func (param i32 i32) (result i32)
    local.get 0 i32.const 1 i32.sub  local.get 0 local.get 1 i32.add  return_call $two)
  ;; fewer and more parameters, and of other kinds
  (func (param i32 i32) (result i32) local.get 1 return_call $one)
  (func (param i32) (result i32) local.get 0 i32.const 7 return_call $two)
  (func (param i32 i64) (result i32) local.get 0 i32.const 7 return_call $two)
  (func (param i32 v128) (result i32) local.get 0 local.get 1 return_call $wide)
  ;; imported, and through the table: the index is read after the arguments were moved
  (func (param i32 i32) (result i32) local.get 1 local.get 0 return_call $imported)
  (func (param i32 i32) (result i32)
    local.get 1 i32.const 5 local.get 0 return_call_indirect (type $binary))
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 local.get 1 i32.load return_call_indirect (type $binary))
  (func (param i32) (result i32)
    local.get 0 i32.const 5 local.get 0 return_call_indirect (type $binary))
  ;; itself, with a local to clear and with pins
  (func $self (param i32 i32) (result i32) (local i32)
    local.get 2 local.get 0 i32.add local.get 1 return_call $self)
  (func $looping (param i32 i32) (result i32)
    (loop
      (local.set 0 (i32.sub (local.get 0) (local.get 1)))
      (br_if 0 (i32.gt_s (local.get 0) (local.get 1))))
    local.get 1 local.get 0 return_call $looping)
  (memory 1))
