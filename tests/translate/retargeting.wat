;; When a result goes straight into a local, its producer is changed to write the local's slot, and the copy
;; from the home slot is not needed. The same holds for the value that an unconditional branch takes to
;; its label.
(module
  (global $g (mut i32) (i32.const 0))
  (memory 1)
  (func (param i32 i32)
    local.get 0 local.get 1 i32.div_u local.set 0)
  ;; local.tee: what follows reads the local
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.div_u local.tee 0
    i32.clz local.get 0 i32.rotl)
  (func (param i32)
    local.get 0 i32.load offset=4 local.set 0)
  (func (param i32)
    global.get $g local.set 0)
  (func (param i32 i32 i32)
    local.get 0 local.get 1 local.get 2 select local.set 0)
  ;; not when something came between
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl
    local.get 0 local.get 1 i32.rotr
    local.set 0
    local.set 1
    local.get 0 local.get 1 i32.rem_u)
  ;; the branch's value: the block's result lies lower than the value's home
  (func (param i32 i32) (result i32)
    block (result i32)
      i32.const 3
      local.get 0 local.get 1 i32.rotl
      br 0
    end
    i32.clz))
