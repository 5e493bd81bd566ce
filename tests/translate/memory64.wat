;; A 64-bit memory 0: addresses of 64 bits with guard pages behind them, and sums of two operands.
(module
  (memory i64 1)
  (func (param i64) (result i32) local.get 0 i32.load offset=12)
  (func (param i64) (result i64) local.get 0 i64.load i64.load32_u)
  (func (param i64 i64) (result f64) local.get 0 local.get 1 i64.add f64.load)
  (func (param i64) (result i32) local.get 0 i64.const 0x200000000 i64.add i32.load8_s)
  (func (param i64) local.get 0 i32.const 7 i32.store8 offset=1)
  (func (param i64 v128) local.get 0 local.get 1 v128.store)
  (func (param i64) (result v128) local.get 0 v128.load8_splat)
  ;; not of a comparison is the opposite comparison
  (func (param i64) (result i32) (loop (br_if 0 (i32.eqz (i64.eqz (local.get 0))))) i32.const 0)
  (func (param i32) (result i32)
    (local i64)
    (loop
      (local.set 1 (i64.load (local.get 1)))
      (br_if 0 (i32.wrap_i64 (local.get 1))))
    local.get 0))
