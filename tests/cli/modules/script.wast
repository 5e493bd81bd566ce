;; A script that passes.
(module (func (export "one") (result i32) (i32.const 1))
        (func (export "trap") unreachable))
(assert_return (invoke "one") (i32.const 1))
(assert_trap (invoke "trap") "unreachable")
(assert_invalid (module (func (result i32))) "type mismatch")
(assert_malformed (module binary "\00asm") "unexpected end")
