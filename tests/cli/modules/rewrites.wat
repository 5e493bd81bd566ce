;; Opens the file "program" of its first directory, changes a function that was never called, or
;; cuts the file to nothing when there is an argument, and calls the function: its exit code is 7 when
;; the code that was validated runs, and 8 when the new bytes do.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread"
    (func $pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite"
    (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $set_size (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 1024) "program")
  ;; i32.const 7 after fifteen nops; 0x41 0x08 0x0b is i32.const 8, end
  (func $victim (result i32)
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop
    i32.const 7)
  (func $check (param i32) (if (local.get 0) (then (call $exit (i32.const 90)))))
  (func $find (param $end i32) (result i32) (local $i i32)
    (loop $next
      (if (i32.and
            (i64.eq (i64.load offset=65536 (local.get $i)) (i64.const 0x0101010101010101))
            (i64.eq (i64.load offset=65544 (local.get $i)) (i64.const 0x4101010101010101)))
        (then (return (i32.add (local.get $i) (i32.const 16)))))
      (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                             (local.get $end))))
    (call $exit (i32.const 91))
    (i32.const 0))
  (func $rewrite (param $fd i32)
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 65536))
    (call $check (call $pread (local.get $fd) (i32.const 0) (i32.const 1) (i64.const 0)
      (i32.const 20)))
    (i32.store (i32.const 0) (i32.const 32))
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store8 (i32.const 32) (i32.const 8))
    (call $check (call $pwrite (local.get $fd) (i32.const 0) (i32.const 1)
      (i64.extend_i32_u (call $find (i32.load (i32.const 20)))) (i32.const 20))))
  (func (export "_start") (local $fd i32)
    (call $check (call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 7)
      (i32.const 0) (i64.const 0x400066) (i64.const 0) (i32.const 0) (i32.const 16)))
    (local.set $fd (i32.load (i32.const 16)))
    (call $check (call $args_sizes_get (i32.const 48) (i32.const 52)))
    (if (i32.gt_u (i32.load (i32.const 48)) (i32.const 1))
      (then (call $check (call $set_size (local.get $fd) (i64.const 0))))
      (else (call $rewrite (local.get $fd))))
    (call $exit (call $victim))))
