;; Imports something that does not exist.
(module $unknown
  (import "nowhere" "nothing" (func $nothing (param i32)))
  (func (export "fine") (result i32) (i32.const 5))
  (func (export "call") (call $nothing (i32.const 0))))
