;; A return puts the result where the first parameter lay and leaves the frame, in one instruction; where the
;; value comes from is part of it. A jump to a label behind which the function ends is a return as well.
(module
  (func)
  (func (result i32) i32.const 5)
  (func (param i32) (result i32) local.get 0)
  (func (param i32 i32) (result i32) local.get 0 local.get 1 i32.rotl)
  (func (param f32) (result f32) local.get 0 f32.sqrt)
  (func (param f64) (result f64) local.get 0 f64.sqrt)
  (func (param v128) (result v128) local.get 0)
  (func (param i32 i64) (result i64 i32) local.get 1 local.get 0)
  ;; more than a few results
  (func (param i32) (result i32 i32 i32 i32 i32)
    local.get 0 local.get 0 local.get 0 local.get 0 local.get 0)
  ;; behind a condition
  (func (param i32 i32) (result i32)
    local.get 0
    local.get 1 br_if 0
    i32.clz)
  (func (param i32)
    local.get 0 br_if 0 unreachable)
  ;; jumps to the end
  (func (param i32 i32) (result i32)
    block (result i32)
      local.get 0 if local.get 1 br 1 end
      i32.const 8
    end)
  (func (param i32)
    block
      local.get 0 if br 1 end
      unreachable
    end))
