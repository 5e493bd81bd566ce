;; Does not come back from its start function.
(module (func $start (loop $again (br $again))) (start $start) (func (export "f")))
