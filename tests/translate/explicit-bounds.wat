;; options: --explicit-bounds
;; Memories without guard pages need bounds checks: loads and stores have variants, named e instead of g,
;; that compare the address with the memory's size. They take part in the same pairs, except a br_table that loads.
(module
  (memory 1)
  (func (param i32) (result i32)
    local.get 0 i32.load offset=4)
  (func (param i32 i64)
    local.get 0 local.get 1 i64.store32)
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.add i32.load)
  (func (param i32 i32) (result i32)
    local.get 0 i32.load local.get 1 i32.add)
  (func (param i32)
    block local.get 0 i32.load8_u br_if 0 unreachable end)
  (func (param i32)
    block local.get 0 i32.load br_table 0 0 end)
  (func (param i32)
    loop
      local.get 0 i32.load offset=8 local.tee 0 br_if 0
    end))
