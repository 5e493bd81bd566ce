;; options: --steps
;; Where the fuel in hand does not cover a whole block, execution goes on in a second form of the function's
;; code, stepping code, in which every instruction pays for itself, so that it stops before exactly the
;; instruction that cannot be paid for. At the start of each block it can return to the usual code.
(module
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl)
  (func (param i32)
    loop
      local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0
    end))
