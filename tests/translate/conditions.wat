;; A comparison that a branch consumes is part of the branch. An if branches when the condition does not
;; hold, so it takes the opposite comparison, perhaps with operands exchanged; no float comparison
;; except == and != has an opposite of its own because of NaNs, and those get branches called nlt and nle.
;; The computation or load of a compared value joins the branch, too.
(module
  (memory 1)
  (func (param i32 i32)
    block local.get 0 local.get 1 i32.lt_s br_if 0 unreachable end)
  (func (param i32 i32)
    local.get 0 local.get 1 i32.lt_s if unreachable end)
  (func (param i32)
    block local.get 0 i32.eqz br_if 0 unreachable end)
  (func (param i32)
    block local.get 0 br_if 0 unreachable end)
  (func (param i64)
    block local.get 0 i64.const 100 i64.gt_u br_if 0 unreachable end)
  (func (param f64 f64)
    local.get 0 local.get 1 f64.lt if unreachable end)
  (func (param f32 f32)
    local.get 0 local.get 1 f32.eq if unreachable end)
  ;; an addition, a mask, and a load
  (func (param i32 i32)
    block local.get 0 local.get 1 i32.sub i32.const 10 i32.lt_u br_if 0 unreachable end)
  (func (param i32)
    block local.get 0 i32.const 4 i32.and br_if 0 unreachable end)
  (func (param i32 i32)
    block local.get 0 i32.load8_u offset=3 local.get 1 i32.eq br_if 0 unreachable end)
  ;; a comparison whose value is kept
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.lt_s local.tee 0
    if unreachable end
    local.get 0))
