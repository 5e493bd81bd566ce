;; Ways not to come back: a loop, and a sleep of ten minutes.
(module $forever
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (loop $again (br $again)))
  (func (export "sleep")
    (i32.store8 (i32.const 8) (i32.const 0))               ;; a clock
    (i32.store (i32.const 16) (i32.const 1))               ;; monotonic
    (i64.store (i32.const 24) (i64.const 600000000000))    ;; nanoseconds
    (drop (call $poll_oneoff (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))
  (func (export "done") (result i32) (i32.const 1)))
