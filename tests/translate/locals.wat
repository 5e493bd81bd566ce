;; Reading a local emits nothing: the instruction that consumes the value names the local's slot. A
;; value that was read before the local is overwritten is copied to its home slot first, and so is every
;; value that still is a local where control splits. Only locals that are read before they are written
;; are cleared when a call begins.
(module
  ;; two reads, one instruction
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.sub)
  ;; the old value is needed behind the assignment
  (func (param i32) (result i32)
    local.get 0
    i32.const 5 local.set 0
    local.get 0 i32.sub)
  ;; swap: one of the two is copied
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 local.set 0 local.set 1
    local.get 0 local.get 1 i32.div_u)
  ;; a block: the value below it is spilled, as the local may change inside
  (func (param i32) (result i32)
    local.get 0
    block local.get 0 br_if 0 i32.const 1 local.set 0 end
    local.get 0 i32.sub)
  ;; written first on every path: nothing to clear
  (func (param i32) (result i32) (local i32)
    local.get 0 i32.const 1 i32.add local.set 1
    local.get 1 local.get 1 i32.mul)
  ;; read first: the prologue clears four slots
  (func (param i32) (result i32) (local i32)
    local.get 0 if i32.const 1 local.set 1 end
    local.get 1)
  ;; references are always cleared, so that the collector sees none that is stale
  (func (param funcref) (local funcref)
    local.get 0 local.set 1))
