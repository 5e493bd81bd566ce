;; Threads: argument 0 returns, 1 waits for ever, 2 traps, 3 exits with 7, 4 loops, 5 polls for ever.
(module $threads
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "env" "memory" (memory 1 4 shared))
  (func $wait (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1))))
  (func $sleep
    (i32.store (i32.const 112) (i32.const 1))
    (i64.store (i32.const 120) (i64.const 0x7fffffffffffffff))
    (drop (call $poll (i32.const 96) (i32.const 256) (i32.const 1) (i32.const 8))))
  (func $do (param i32)
    (block (block (block (block (block
      (br_table 4 3 2 1 0 (i32.sub (local.get 0) (i32.const 1))))
      (call $sleep) (return))
      (loop (br 0)))
      (call $exit (i32.const 7)))
      (unreachable))
    (call $wait))
  (func (export "wasi_thread_start") (param i32 i32)
    (if (local.get 1) (then (call $do (local.get 1)))))
  ;; A thread that waits in each way, one more, and then what the first does itself.
  (func (export "both") (param $thread i32) (param $self i32)
    (drop (call $spawn (i32.const 1)))
    (drop (call $spawn (i32.const 4)))
    (drop (call $spawn (i32.const 5)))
    (drop (call $spawn (local.get $thread)))
    (if (local.get $self) (then (call $do (local.get $self)))))
  (func (export "spawn") (param i32) (result i32) (call $spawn (local.get 0)))
  (func (export "_start")))
