;; Loops are turned round. One that begins with a conditional exit would test at its start and jump
;; back at its end: the jump is replaced by the opposite test, which goes behind the one at the start.
;; Stepping a local and testing it is one instruction.
(module
  ;; while (p0 != p1) p0 = clz(p0)
  (func (param i32 i32)
    block
      loop
        local.get 0 local.get 1 i32.eq br_if 1
        local.get 0 i32.clz local.set 0
        br 0
      end
    end)
  ;; while (p0 != 0) p0 -= 2
  (func (param i32)
    block
      loop
        local.get 0 i32.eqz br_if 1
        local.get 0 i32.const 2 i32.sub local.set 0
        br 0
      end
    end)
  ;; do p0 += 1 while (p0 < p1); of a local that is no pin, too
  (func (param i32 i32)
    loop
      local.get 0 i32.const 1 i32.add local.tee 0
      local.get 1 i32.lt_u br_if 0
    end)
  (func (param i64 i64 i64)
    loop
      local.get 0 local.get 1 i64.add local.set 1
      local.get 0 local.get 1 i64.sub local.set 0
      local.get 2 i64.const 1 i64.add local.tee 2
      i64.const 1000 i64.lt_s br_if 0
    end)
  ;; an addition before the jump back
  (func (param i32)
    loop
      local.get 0 i32.const 3 i32.add local.set 0
      br 0
    end)
  ;; a loop with a parameter
  (func (param i32) (result i32)
    local.get 0
    loop (param i32) (result i32)
      i32.clz local.tee 0
      local.get 0 br_if 0
    end))
