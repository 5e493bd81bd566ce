;; Plants a file in the directory that is descriptor 3: renames the first argument to the second and
;; puts up to 64 KiB of standard input in place of its contents. The exit code is 0, or the error
;; number of the call that failed.
(module
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_rename"
    (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (func $check (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
  (func $length (param $text i32) (result i32) (local $end i32)
    (local.set $end (local.get $text))
    (loop $next
      (if (i32.load8_u (local.get $end))
        (then
          (local.set $end (i32.add (local.get $end) (i32.const 1)))
          (br $next))))
    (i32.sub (local.get $end) (local.get $text)))
  ;; Reads to the end; returns the size.
  (func $read_all (result i32) (local $size i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $size)))
      (i32.store (i32.const 4) (i32.sub (i32.const 65536) (local.get $size)))
      (call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $size (i32.add (local.get $size) (i32.load (i32.const 8))))
      (br_if $more (i32.load (i32.const 8))))
    (local.get $size))
  (func (export "_start") (local $from i32) (local $to i32)
    (call $check (call $args_get (i32.const 16) (i32.const 1024)))
    (local.set $from (i32.load (i32.const 20)))
    (local.set $to (i32.load (i32.const 24)))
    (call $check (call $path_rename (i32.const 3) (local.get $from) (call $length (local.get $from))
      (i32.const 3) (local.get $to) (call $length (local.get $to))))
    (i32.store (i32.const 4) (call $read_all))
    (i32.store (i32.const 0) (i32.const 65536))
    ;; O_TRUNC; the right to write
    (call $check (call $path_open (i32.const 3) (i32.const 0) (local.get $to)
      (call $length (local.get $to)) (i32.const 8) (i64.const 64) (i64.const 0) (i32.const 0)
      (i32.const 32)))
    (call $check
      (call $fd_write (i32.load (i32.const 32)) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $exit (i32.const 0))))
