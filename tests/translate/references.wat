;; Calls through typed references: the reference is read last, behind the arguments, and a tail call moves its arguments as
;; one through a table does. Tests for null are branches of their own.
(module
  (type $unary (func (param i32) (result i32)))
  (type $binary (func (param i32 i32) (result i32)))
  (func $one (type $unary) local.get 0)
  (elem declare func $one)
  (func (param i32 (ref $unary)) (result i32) local.get 0 local.get 1 call_ref $unary)
  (func (param i32) (result i32) local.get 0 ref.func $one call_ref $unary)
  (func (param i32 i32 (ref null $binary)) (result i32)
    local.get 0 i32.const 1 i32.add local.get 1 local.get 2 call_ref $binary i32.const 2 i32.mul)
  ;; in the caller's place: of as many parameters, of fewer, of more
  (func (param i32 (ref $unary)) (result i32) local.get 0 local.get 1 return_call_ref $unary)
  (func $self (param i32) (result i32) local.get 0 i32.const 1 i32.sub ref.func $self return_call_ref $unary)
  (func (param i32 i32 (ref null $binary)) (result i32)
    local.get 1 local.get 0 local.get 2 return_call_ref $binary)
  (func (param (ref $binary)) (result i32) i32.const 1 i32.const 2 local.get 0 return_call_ref $binary)
  ;; null
  (func (param (ref null $unary)) (result (ref $unary)) local.get 0 ref.as_non_null)
  (func (param i32 (ref null $unary)) (result i32)
    block $null local.get 0 local.get 1 br_on_null $null return_call_ref $unary end i32.const 0)
  (func (param i32 (ref null $unary)) (result i32)
    block $some (result (ref $unary)) local.get 1 br_on_non_null $some i32.const 0 return end
    local.set 1 local.get 0 local.get 1 call_ref $unary)
  (elem declare func $self))
