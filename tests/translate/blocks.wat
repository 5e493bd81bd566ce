;; Values that a label takes lie in its home slots, whichever way control comes. A branch copies what lies
;; elsewhere, and where that is needed a conditional branch becomes the opposite one over a copy and
;; a jump. Code that cannot be reached is left out.
(module
  ;; both arms put the result in the same slot
  (func (param i32 i32) (result i32)
    local.get 0 if (result i32) local.get 1 else i32.const 7 end
    i32.clz)
  ;; the value is at home already: one conditional branch
  (func (param i32 i32) (result i32)
    block (result i32)
      local.get 0 local.get 1 i32.rotl
      local.get 0 br_if 0
      drop i32.const 4
    end
    i32.clz)
  ;; it is not: a copy on the way
  (func (param i32 i32) (result i32)
    block (result i32)
      i32.const 1
      local.get 0
      local.get 1 br_if 0
      i32.rotl
    end
    i32.clz)
  ;; two results
  (func (param i32 i32) (result i32)
    block (result i32 i32)
      i32.const 9 local.get 0 local.get 1
      br 0
    end
    i32.rotl)
  ;; many results are moved by one instruction
  (func (param i32) (result i32)
    block (result i32 i32 i32 i32 i32)
      i32.const 0
      local.get 0 local.get 0 local.get 0 local.get 0 local.get 0
      br 0
    end
    drop drop drop drop)
  ;; dead code
  (func (param i32) (result i32)
    block
      br 0
      local.get 0 if loop br 0 end else unreachable end
      i32.const 1 drop
    end
    local.get 0))
