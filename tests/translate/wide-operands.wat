;; An instruction names slots with 16 bits. In a frame with more slots, wide operands are copied to scratch
;; slots near the frame pointer first (far_get), and results from there (far_set). Such a function is
;; translated a second time, with room for the scratch slots.
(module
  (func (param i32) (result i32) (local @repeat(33000, i64) i32 i32 v128)
    local.get 0 local.set 33001
    local.get 33001 local.get 33002 i32.rotl local.set 33002
    local.get 33003 local.get 33003 i8x16.add local.set 33003
    local.get 33002)
  ;; the limit itself
  (func (param i32) (result i32) (local @repeat(32750, i64))
    i32.const 1 i32.const 2 i32.const 3 i32.const 4 i32.const 5 i32.const 6 i32.const 7 i32.const 8
    i32.const 9 i32.const 10
    local.get 0 i32.clz
    i32.rotl i32.rotl i32.rotl i32.rotl i32.rotl i32.rotl i32.rotl i32.rotl i32.rotl i32.rotl))
