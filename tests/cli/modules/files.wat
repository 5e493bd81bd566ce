;; In the directory that is descriptor 3: `read` writes the file `in` to standard output, `create`
;; creates the file `out`. Both return the error number of path_open.
(module $files
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get"
    (func $fd_prestat_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_dir_name"
    (func $fd_prestat_dir_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "in")
  (data (i32.const 40) "out")
  (data (i32.const 48) "../in")
  (func $write (param $size i32)
    (i32.store (i32.const 0) (i32.const 4096))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $open_in (param $name i32) (param $length i32) (result i32)
    (call $path_open (i32.const 3) (i32.const 1) (local.get $name) (local.get $length)
      (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
  (func (export "read") (result i32)
    (local $error i32)
    (local.set $error (call $open_in (i32.const 32) (i32.const 2)))
    (if (i32.eqz (local.get $error))
      (then
        (i32.store (i32.const 0) (i32.const 4096))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $write (i32.load (i32.const 8)))))
    (local.get $error))
  (func (export "escape") (result i32)
    (call $open_in (i32.const 48) (i32.const 5)))
  (func (export "create") (result i32)
    (call $path_open (i32.const 3) (i32.const 1) (i32.const 40) (i32.const 3)
      (i32.const 1) (i64.const 64) (i64.const 64) (i32.const 0) (i32.const 16)))
  ;; Writes the name of a preopened directory; returns the error number.
  (func (export "name") (param $fd i32) (result i32)
    (local $error i32)
    (local.set $error (call $fd_prestat_get (local.get $fd) (i32.const 0)))
    (if (i32.eqz (local.get $error))
      (then
        (i32.store (i32.const 16) (i32.load (i32.const 4)))
        (drop (call $fd_prestat_dir_name (local.get $fd) (i32.const 4096)
          (i32.load (i32.const 16))))
        (i32.store8 offset=4096 (i32.load (i32.const 16)) (i32.const 10))
        (call $write (i32.add (i32.load (i32.const 16)) (i32.const 1)))))
    (local.get $error)))
