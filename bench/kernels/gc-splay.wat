;; A splay tree (Sleator and Tarjan, top-down) whose nodes carry small arrays: one node is inserted and one removed in
;; each turn. The size is the number of turns.
(type $payload (array (mut i32)))
(type $node (struct (field $key i32) (field $left (mut (ref null $node)))
                    (field $right (mut (ref null $node))) (field $payload (ref $payload))))
(global $default i64 (i64.const 250000))
(global $nodes i32 (i32.const 8000))
(global $root (mut (ref null $node)) (ref.null $node))
(global $seed (mut i32) (i32.const 49734321))

(func $random (result i32)
  (global.set $seed (i32.add (i32.mul (global.get $seed) (i32.const 1103515245)) (i32.const 12345)))
  (i32.and (i32.shr_u (global.get $seed) (i32.const 1)) (i32.const 0xFFFFFF)))

;; Brings the node with the key, or one beside it, to the root of a tree that is not empty.
(func $splay (param $key i32)
  (local $header (ref $node)) (local $l (ref $node)) (local $r (ref $node)) (local $t (ref $node))
  (local $y (ref $node)) (local $here i32)
  (local.set $header
    (struct.new $node (i32.const 0) (ref.null $node) (ref.null $node)
                      (array.new_fixed $payload 0)))
  (local.set $l (local.get $header))
  (local.set $r (local.get $header))
  (local.set $t (ref.as_non_null (global.get $root)))
  (block $done
    (loop $next
      (local.set $here (struct.get $node $key (local.get $t)))
      (if (i32.lt_s (local.get $key) (local.get $here))
        (then
          (local.set $y (br_on_null $done (struct.get $node $left (local.get $t))))
          (if (i32.lt_s (local.get $key) (struct.get $node $key (local.get $y)))
            (then
              (struct.set $node $left (local.get $t) (struct.get $node $right (local.get $y)))
              (struct.set $node $right (local.get $y) (local.get $t))
              (local.set $t (local.get $y))
              (drop (br_on_null $done (struct.get $node $left (local.get $t))))))
          (struct.set $node $left (local.get $r) (local.get $t))
          (local.set $r (local.get $t))
          (local.set $t (ref.as_non_null (struct.get $node $left (local.get $t))))
          (br $next)))
      (if (i32.gt_s (local.get $key) (local.get $here))
        (then
          (local.set $y (br_on_null $done (struct.get $node $right (local.get $t))))
          (if (i32.gt_s (local.get $key) (struct.get $node $key (local.get $y)))
            (then
              (struct.set $node $right (local.get $t) (struct.get $node $left (local.get $y)))
              (struct.set $node $left (local.get $y) (local.get $t))
              (local.set $t (local.get $y))
              (drop (br_on_null $done (struct.get $node $right (local.get $t))))))
          (struct.set $node $right (local.get $l) (local.get $t))
          (local.set $l (local.get $t))
          (local.set $t (ref.as_non_null (struct.get $node $right (local.get $t))))
          (br $next)))))
  (struct.set $node $right (local.get $l) (struct.get $node $left (local.get $t)))
  (struct.set $node $left (local.get $r) (struct.get $node $right (local.get $t)))
  (struct.set $node $left (local.get $t) (struct.get $node $right (local.get $header)))
  (struct.set $node $right (local.get $t) (struct.get $node $left (local.get $header)))
  (global.set $root (local.get $t)))

(func $payload (param $key i32) (result (ref $payload))
  (array.new $payload (local.get $key) (i32.const 10)))

;; False: the key is there already.
(func $insert (param $key i32) (result i32)
  (local $root (ref $node)) (local $new (ref null $node))
  (if (ref.is_null (global.get $root))
    (then
      (global.set $root
        (struct.new $node (local.get $key) (ref.null $node) (ref.null $node)
                          (call $payload (local.get $key))))
      (return (i32.const 1))))
  (call $splay (local.get $key))
  (local.set $root (ref.as_non_null (global.get $root)))
  (if (i32.eq (struct.get $node $key (local.get $root)) (local.get $key))
    (then (return (i32.const 0))))
  (if (i32.gt_s (local.get $key) (struct.get $node $key (local.get $root)))
    (then
      (local.set $new
        (struct.new $node (local.get $key) (local.get $root)
                          (struct.get $node $right (local.get $root)) (call $payload (local.get $key))))
      (struct.set $node $right (local.get $root) (ref.null $node)))
    (else
      (local.set $new
        (struct.new $node (local.get $key) (struct.get $node $left (local.get $root))
                          (local.get $root) (call $payload (local.get $key))))
      (struct.set $node $left (local.get $root) (ref.null $node))))
  (global.set $root (local.get $new))
  (i32.const 1))

;; Removes the root of the tree, splayed at the key, and gives its key.
(func $remove_near (param $key i32) (result i32)
  (local $root (ref $node)) (local $right (ref null $node)) (local $gone i32)
  (call $splay (local.get $key))
  (local.set $root (ref.as_non_null (global.get $root)))
  (local.set $gone
    (i32.add (struct.get $node $key (local.get $root))
             (array.get $payload (struct.get $node $payload (local.get $root)) (i32.const 9))))
  (local.set $right (struct.get $node $right (local.get $root)))
  (if (ref.is_null (struct.get $node $left (local.get $root)))
    (then (global.set $root (local.get $right)))
    (else
      (global.set $root (struct.get $node $left (local.get $root)))
      (call $splay (local.get $key))
      (struct.set $node $right (global.get $root) (local.get $right))))
  (local.get $gone))

(func $kernel (param $size i64) (result i64)
  (local $i i32) (local $sum i64)
  (loop $fill
    (br_if $fill (i32.eqz (call $insert (call $random))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $fill (i32.lt_s (local.get $i) (global.get $nodes))))
  (block $done
    (loop $next
      (br_if $done (i64.eqz (local.get $size)))
      (loop $again
        (br_if $again (i32.eqz (call $insert (call $random)))))
      (local.set $sum
        (i64.add (i64.mul (local.get $sum) (i64.const 31))
                 (i64.extend_i32_u (call $remove_near (call $random)))))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (br $next)))
  (local.get $sum))
