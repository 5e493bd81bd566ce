;; `serve` waits for a connection on a socket that listens, accepts it, sends back what comes first, and
;; closes; it returns the error number of the first call that fails. The program serves descriptor 3.
;; `accept` accepts without waiting, and `flags` returns those of a descriptor, or -1.
(module $sockets
  (import "wasi_snapshot_preview1" "sock_accept"
    (func $sock_accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv"
    (func $sock_recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send"
    (func $sock_send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown"
    (func $sock_shutdown (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_get"
    (func $fd_fdstat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $serve (export "serve") (param $fd i32) (result i32)
    (local $error i32)
    (block $failed
      (i32.store8 (i32.const 136) (i32.const 1)) ;; fd_read of the subscription at 128
      (i32.store (i32.const 144) (local.get $fd))
      (br_if $failed
        (local.tee $error
          (call $poll_oneoff (i32.const 128) (i32.const 192) (i32.const 1) (i32.const 24))))
      (br_if $failed
        (local.tee $error (call $sock_accept (local.get $fd) (i32.const 0) (i32.const 16))))
      (local.set $fd (i32.load (i32.const 16)))
      (i32.store (i32.const 0) (i32.const 4096))
      (i32.store (i32.const 4) (i32.const 4096))
      (br_if $failed
        (local.tee $error
          (call $sock_recv (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 20) (i32.const 24))))
      (i32.store (i32.const 4) (i32.load (i32.const 20)))
      (br_if $failed
        (local.tee $error
          (call $sock_send (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 20))))
      (br_if $failed
        (local.tee $error (call $sock_shutdown (local.get $fd) (i32.const 2))))
      (local.set $error (call $fd_close (local.get $fd))))
    (local.get $error))
  (func (export "accept") (param i32) (result i32)
    (call $sock_accept (local.get 0) (i32.const 0) (i32.const 16)))
  (func (export "flags") (param i32) (result i32)
    (if (result i32) (call $fd_fdstat_get (local.get 0) (i32.const 256))
      (then (i32.const -1))
      (else (i32.load16_u (i32.const 258)))))
  (func (export "_start")
    (call $proc_exit (call $serve (i32.const 3)))))
