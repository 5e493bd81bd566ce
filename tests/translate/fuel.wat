;; options: --fuel
;; With fuel, each block of straight code begins with an instruction that takes what the whole block costs:
;; a unit for each WebAssembly instruction except block, loop, else, end and nop. A block ends where control
;; may come in or go elsewhere, and behind calls and instructions that pay by length.
(module
  (memory 1)
  (func $callee (param i32) (result i32) local.get 0)
  ;; one block
  (func (param i32 i32) (result i32)
    local.get 0 local.get 1 i32.rotl nop)
  ;; a loop's start, and what follows its end
  (func (param i32)
    loop
      local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0
    end
    local.get 0 drop)
  ;; both arms, and what follows
  (func (param i32) (result i32)
    local.get 0 if (result i32) i32.const 1 else local.get 0 i32.clz end
    i32.ctz)
  ;; behind a call
  (func (param i32) (result i32)
    local.get 0 call $callee i32.clz)
  ;; the length is paid for by the instruction itself
  (func (param i32)
    i32.const 0 i32.const 0 local.get 0 memory.fill
    local.get 0 drop)
  ;; a frame whose locals take time to clear costs more to enter
  (func (local @repeat(100, i64))
    local.get 0 drop))
