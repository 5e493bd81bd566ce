;; options: --interruptible
;; Code that can be interrupted checks for a request at the start of each function and loop. Bulk
;; instructions are marked as divisible (the number 1 at the end): interrupted half-way, they leave what remains to be
;; done in their operands, which therefore lie in home slots. All locals are cleared.
(module
  (memory 1)
  (func (param i32) (local i32)
    loop
      local.get 0 i32.clz local.tee 0 br_if 0
    end)
  (func (param i32)
    local.get 0 i32.const 0 i32.const 100 memory.copy))
