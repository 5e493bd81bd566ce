;; Puts a link that leads out of its directory in the place of the directory "sub".
(module
  (import "wasi_snapshot_preview1" "path_rename"
    (func $path_rename (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "sub")
  (data (i32.const 16) "old")
  (data (i32.const 32) "../beside")
  (func (export "_start") (export "init")
    (if (call $path_rename (i32.const 3) (i32.const 0) (i32.const 3)
                           (i32.const 3) (i32.const 16) (i32.const 3))
      (then (unreachable)))
    (if (call $path_symlink (i32.const 32) (i32.const 9) (i32.const 3) (i32.const 0) (i32.const 3))
      (then (unreachable)))))
