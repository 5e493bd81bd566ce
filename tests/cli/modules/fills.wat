;; Writes as many bytes to a descriptor as a pipe holds, before the functions go on.
(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\00\00\01\00")
  (func $fill (param $descriptor i32) (result i32)
    (call $fd_write (local.get $descriptor) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "return") (param i32) (result i32)
    (call $fill (local.get 0)))
  (func (export "trap") (param i32)
    (drop (call $fill (local.get 0)))
    unreachable)
  (func (export "spin") (param i32)
    (drop (call $fill (local.get 0)))
    (loop (br 0))))
