;; A call's arguments are the topmost home slots of the caller's frame, and the callee's frame begins behind
;; them (+N: so many slots from the caller's frame pointer): nothing is copied twice. The results lie
;; where the arguments began. One or two copies of arguments join the call.
(module
  (type $unary (func (param i32) (result i32)))
  (import "m" "imported" (func $imported (param i32 i32) (result i32)))
  (table 1 funcref)
  (func $none)
  (func $one (param i32) (result i32) local.get 0)
  (func $two (param i32 i32) (result i32) local.get 0)
  (func $three (param i32 i32 i32) (result i32 i32 i32) local.get 0 local.get 1 local.get 2)
  (func $wide (param v128 i32) (result v128) local.get 0)
  (func call $none)
  ;; locals as arguments
  (func (param i32) (result i32) local.get 0 call $one)
  (func (param i32 i32) (result i32) local.get 1 local.get 0 call $two)
  (func (param i32 i32) (result i32 i32 i32) local.get 1 local.get 0 local.get 1 call $three)
  ;; computed arguments need no copy, and neither do results passed on
  (func (param i32) (result i32)
    local.get 0 i32.clz call $one call $one)
  ;; a constant
  (func (result i32) i32.const 3 call $one)
  ;; what lies below the arguments stays in its home slot during the call
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl
    local.get 0 call $one
    i32.rotl)
  (func (param i32) (result i32)
    local.get 0 i32.const 4 call $imported)
  ;; through a table: the type is compared when it is called
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 call_indirect (type $unary))
  (func (param v128) (result v128)
    local.get 0 i32.const 1 call $wide))
