;; The older form of exceptions. Nothing is executed at the start of a try block; a jump leads from the end of its body past
;; the catch blocks. The exception has the slot below the values that are caught, from where rethrow takes it, so that results
;; move down by a slot.
(module
  (tag $e (param i32))
  (func $f)
  (func (param i32) (result i32)
    (try (result i32)
      (do (call $f) (local.get 0))
      (catch $e)
      (catch_all (i32.const 7))))
  ;; thrown again, two blocks further out
  (func
    (try
      (do (call $f))
      (catch_all (block (block (rethrow 2))))))
  ;; what the inner block throws comes to the outer one's clauses
  (func (result i32)
    (try (result i32)
      (do (try (do (throw $e (i32.const 1))) (delegate 0)) (i32.const 2))
      (catch $e (i32.const 1) i32.add)))
  ;; values below stay where they are
  (func (param i32) (result i32)
    (i32.add
      (i32.mul (local.get 0) (local.get 0))
      (try (result i32) (do (call $f) (i32.const 3)) (catch $e (drop) (local.get 0))))))
