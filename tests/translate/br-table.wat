;; br_table has its displacements behind it. Where a label's values must be moved, all entries for that label
;; share a detour that does so. Adding a constant to the index, and loading the index, join the table.
(module
  (memory 1)
  (func (param i32) (result i32)
    block block block
      local.get 0 br_table 0 1 2 1
    end i32.const 10 return
    end i32.const 11 return
    end i32.const 12)
  ;; the index in the accumulator
  (func (param i32 i32)
    block block
      local.get 0 local.get 1 i32.rotl br_table 0 1
    end end)
  ;; case labels that begin at 97
  (func (param i32)
    block block
      local.get 0 i32.const 97 i32.sub br_table 0 1 0
    end end)
  ;; an interpreter's dispatch
  (func (param i32)
    block block
      local.get 0 i32.load8_u offset=4 br_table 0 1 0
    end end)
  ;; the value's home is the outer label's only: the inner one's entries take a detour
  (func (param i32 i32) (result i32)
    block (result i32)
      i32.const 5
      block (result i32)
        local.get 0
        local.get 1 br_table 0 1 0 1
      end
      i32.rotl
    end
    i32.clz)
  ;; an entry that returns
  (func (param i32)
    block
      local.get 0 br_table 0 1
    end
    unreachable))
