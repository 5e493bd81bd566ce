;; Atomic memory instructions: one form each, operands in slots, the width of the access as a field. The
;; result can be put into a local.
(module
  (memory 1)
  (func (param i32) (result i32) local.get 0 i32.atomic.load offset=12)
  (func (param i32) (result i64) local.get 0 i64.atomic.load16_u)
  (func (param i32) i32.const 16 local.get 0 i32.atomic.store8)
  (func (param i32 i64) (local i64)
    local.get 0 local.get 1 i64.atomic.rmw.add local.set 2
    local.get 0 local.get 2 i64.const 7 i64.atomic.rmw32.cmpxchg_u drop)
  (func (param i32) (result i32) local.get 0 i32.load i32.const 1 i32.atomic.rmw.xchg offset=4)
  (func (param i32) (result i32)
    atomic.fence
    local.get 0 i32.const 1 memory.atomic.notify
    local.get 0 i32.const 1 i64.const -1 memory.atomic.wait32
    i32.add))
