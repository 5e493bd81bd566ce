;; Shared by all WAT kernels; bench/build puts it before the kernel's own fields.
;; A kernel defines: (global $default i64 ...)             its usual size
;;                   (func $kernel (param i64) (result i64)) the work, from size to result
;; The command is: kernel [SIZE]; it prints the result as an unsigned decimal number.

(import "wasi_snapshot_preview1" "args_sizes_get"
  (func $args_sizes_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_write"
  (func $fd_write (param i32 i32 i32 i32) (result i32)))

;; Layout: 0 argc, 4 size of the argument bytes, 8 one iovec, 16 bytes written,
;; 32..63 the decimal text (filled from its end), 1024 argv, 4096 the argument bytes.
(memory (export "memory") 1)

(func $size (result i64)
  (local $p i32) (local $digit i32) (local $n i64)
  (if (i32.or (call $args_sizes_get (i32.const 0) (i32.const 4))
              (i32.or (i32.gt_u (i32.load (i32.const 0)) (i32.const 700))
                      (i32.gt_u (i32.load (i32.const 4)) (i32.const 60000))))
    (then unreachable))
  (if (i32.lt_u (i32.load (i32.const 0)) (i32.const 2))
    (then (return (global.get $default))))
  (if (call $args_get (i32.const 1024) (i32.const 4096))
    (then unreachable))
  (local.set $p (i32.load (i32.const 1028)))
  (loop $next
    (local.set $digit (i32.sub (i32.load8_u (local.get $p)) (i32.const 48)))
    (if (i32.lt_u (local.get $digit) (i32.const 10))
      (then
        (local.set $n (i64.add (i64.mul (local.get $n) (i64.const 10))
                               (i64.extend_i32_u (local.get $digit))))
        (local.set $p (i32.add (local.get $p) (i32.const 1)))
        (br $next))))
  (local.get $n))

(func $print (param $n i64)
  (local $p i32)
  (local.set $p (i32.const 63))
  (i32.store8 (local.get $p) (i32.const 10))
  (loop $next
    (local.set $p (i32.sub (local.get $p) (i32.const 1)))
    (i32.store8 (local.get $p)
      (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 10)))))
    (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
    (br_if $next (i64.ne (local.get $n) (i64.const 0))))
  (i32.store (i32.const 8) (local.get $p))
  (i32.store (i32.const 12) (i32.sub (i32.const 64) (local.get $p)))
  (if (call $fd_write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 16))
    (then unreachable)))

(func (export "_start")
  (call $print (call $kernel (call $size))))
