;; A scheduler of tasks, in the manner of Richards' benchmark: tasks of three classes, in a list by priority, send each
;; other packets, wait for them, and are called through a method. The size is the number of turns of the scheduler.
(rec
  (type $packet (struct (field $link (mut (ref null $packet))) (field $to (mut i32))
    (field $kind i32) (field $datum (mut i32)) (field $data (ref $data))))
  (type $data (array (mut i8)))
  (type $task (sub (struct (field $run (ref $run)) (field $id i32) (field $priority i32)
    (field $next (ref null $task)) (field $queue (mut (ref null $packet)))
    (field $held (mut i32)) (field $waiting (mut i32)))))
  (type $run (func (param (ref $task) (ref null $packet)) (result i32))))
(type $idle (sub final $task (struct (field $run (ref $run)) (field $id i32) (field $priority i32)
  (field $next (ref null $task)) (field $queue (mut (ref null $packet)))
  (field $held (mut i32)) (field $waiting (mut i32)) (field $control (mut i32)))))
(type $worker (sub final $task (struct (field $run (ref $run)) (field $id i32) (field $priority i32)
  (field $next (ref null $task)) (field $queue (mut (ref null $packet)))
  (field $held (mut i32)) (field $waiting (mut i32)) (field $destination (mut i32))
  (field $count (mut i32)))))
(type $device (sub final $task (struct (field $run (ref $run)) (field $id i32) (field $priority i32)
  (field $next (ref null $task)) (field $queue (mut (ref null $packet)))
  (field $held (mut i32)) (field $waiting (mut i32)) (field $pending (mut (ref null $packet))))))
(type $tasks (array (mut (ref null $task))))
(elem declare func $idle $worker $device)
(global $default i64 (i64.const 2500000))
(global $tasks (ref $tasks) (array.new_default $tasks (i32.const 6)))
(global $list (mut (ref null $task)) (ref.null $task))
(global $sum (mut i64) (i64.const 0))

;; Appends a packet to a queue, and gives the queue.
(func $enqueue (param $queue (ref null $packet)) (param $packet (ref $packet)) (result (ref null $packet))
  (local $at (ref null $packet)) (local $next (ref null $packet))
  (struct.set $packet $link (local.get $packet) (ref.null $packet))
  (if (ref.is_null (local.get $queue)) (then (return (local.get $packet))))
  (local.set $at (local.get $queue))
  (block $end
    (loop $more
      (local.set $next (struct.get $packet $link (local.get $at)))
      (br_if $end (ref.is_null (local.get $next)))
      (local.set $at (local.get $next))
      (br $more)))
  (struct.set $packet $link (local.get $at) (local.get $packet))
  (local.get $queue))

;; Sends a packet to its task, which waits no longer. From then on it is the sender's.
(func $send (param $from (ref $task)) (param $packet (ref $packet))
  (local $task (ref null $task))
  (local.set $task (array.get $tasks (global.get $tasks) (struct.get $packet $to (local.get $packet))))
  (struct.set $packet $to (local.get $packet) (struct.get $task $id (local.get $from)))
  (struct.set $task $queue (local.get $task)
    (call $enqueue (struct.get $task $queue (local.get $task)) (local.get $packet))))

(func $idle (type $run)
  (local $task (ref $idle)) (local $control i32) (local $device (ref null $task))
  (local.set $task (ref.cast (ref $idle) (local.get 0)))
  (local.set $control (struct.get $idle $control (local.get $task)))
  (if (i32.and (local.get $control) (i32.const 1))
    (then
      (local.set $control (i32.xor (i32.shr_u (local.get $control) (i32.const 1)) (i32.const 0xD008)))
      (local.set $device (array.get $tasks (global.get $tasks) (i32.const 4))))
    (else
      (local.set $control (i32.shr_u (local.get $control) (i32.const 1)))
      (local.set $device (array.get $tasks (global.get $tasks) (i32.const 5)))))
  (struct.set $idle $control (local.get $task) (local.get $control))
  (struct.set $task $held (local.get $device) (i32.const 0))
  (i32.const 0))

;; A worker fills the packets that it gets, and sends them to the devices in turn.
(func $worker (type $run)
  (local $task (ref $worker)) (local $packet (ref $packet)) (local $i i32) (local $count i32)
  (if (ref.is_null (local.get 1)) (then (return (i32.const 1))))
  (local.set $packet (ref.as_non_null (local.get 1)))
  (local.set $task (ref.cast (ref $worker) (local.get 0)))
  (local.set $count (struct.get $worker $count (local.get $task)))
  (struct.set $worker $destination (local.get $task)
    (i32.sub (i32.const 9) (struct.get $worker $destination (local.get $task))))
  (struct.set $packet $to (local.get $packet) (struct.get $worker $destination (local.get $task)))
  (struct.set $packet $datum (local.get $packet) (i32.const 0))
  (loop $fill
    (local.set $count
      (select (i32.const 1) (i32.add (local.get $count) (i32.const 1))
        (i32.ge_s (local.get $count) (i32.const 26))))
    (array.set $data (struct.get $packet $data (local.get $packet)) (local.get $i)
      (i32.add (i32.const 64) (local.get $count)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $fill (i32.lt_u (local.get $i) (i32.const 4))))
  (struct.set $worker $count (local.get $task) (local.get $count))
  (call $send (local.get $task) (local.get $packet))
  (i32.const 0))

;; A device holds a packet until the idle task releases it, then sends a new one with its contents back.
(func $device (type $run)
  (local $task (ref $device)) (local $packet (ref $packet)) (local $copy (ref $packet))
  (local.set $task (ref.cast (ref $device) (local.get 0)))
  (if (i32.eqz (ref.is_null (local.get 1)))
    (then
      (struct.set $device $pending (local.get $task)
        (call $enqueue (struct.get $device $pending (local.get $task)) (ref.as_non_null (local.get 1))))
      (struct.set $device $held (local.get $task) (i32.const 1))
      (return (i32.const 0))))
  (if (ref.is_null (struct.get $device $pending (local.get $task))) (then (return (i32.const 1))))
  (local.set $packet (ref.as_non_null (struct.get $device $pending (local.get $task))))
  (struct.set $device $pending (local.get $task) (struct.get $packet $link (local.get $packet)))
  (local.set $copy
    (struct.new $packet (ref.null $packet) (struct.get $packet $to (local.get $packet))
      (struct.get $packet $kind (local.get $packet)) (i32.const 0)
      (array.new_default $data (i32.const 4))))
  (array.copy $data $data (struct.get $packet $data (local.get $copy)) (i32.const 0)
    (struct.get $packet $data (local.get $packet)) (i32.const 0) (i32.const 4))
  (global.set $sum
    (i64.add (i64.mul (global.get $sum) (i64.const 31))
      (i64.extend_i32_u
        (i32.add (array.get_u $data (struct.get $packet $data (local.get $packet)) (i32.const 2))
                 (struct.get $packet $kind (local.get $packet))))))
  (call $send (local.get $task) (local.get $copy))
  (i32.const 0))

(func $packet (param $to i32) (param $kind i32) (result (ref $packet))
  (struct.new $packet (ref.null $packet) (local.get $to) (local.get $kind) (i32.const 0)
    (array.new_default $data (i32.const 4))))

(func $add (param $task (ref $task))
  (array.set $tasks (global.get $tasks) (struct.get $task $id (local.get $task)) (local.get $task))
  (global.set $list (local.get $task)))

(func $add_worker (param $id i32)
  (call $add
    (struct.new $worker (ref.func $worker) (local.get $id) (i32.mul (local.get $id) (i32.const 1000))
      (global.get $list)
      (call $enqueue (call $packet (i32.const 0) (i32.const 1)) (call $packet (i32.const 0) (i32.const 2)))
      (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0))))

(func $add_device (param $id i32)
  (call $add
    (struct.new $device (ref.func $device) (local.get $id) (i32.mul (local.get $id) (i32.const 1000))
      (global.get $list) (ref.null $packet) (i32.const 0) (i32.const 0) (ref.null $packet))))

(func $kernel (param $size i64) (result i64)
  (local $task (ref null $task)) (local $packet (ref null $packet))
  (call $add
    (struct.new $idle (ref.func $idle) (i32.const 1) (i32.const 0) (ref.null $task) (ref.null $packet)
      (i32.const 0) (i32.const 0) (i32.const 1)))
  (call $add_worker (i32.const 2))
  (call $add_worker (i32.const 3))
  (call $add_device (i32.const 4))
  (call $add_device (i32.const 5))
  (block $done
    (loop $turns
      (br_if $done (i64.eqz (local.get $size)))
      (local.set $size (i64.sub (local.get $size) (i64.const 1)))
      (if (ref.is_null (local.get $task)) (then (local.set $task (global.get $list))))
      (local.set $packet (struct.get $task $queue (local.get $task)))
      (if
        (i32.or (struct.get $task $held (local.get $task))
          (i32.and (struct.get $task $waiting (local.get $task)) (ref.is_null (local.get $packet))))
        (then
          (if (ref.is_null (local.get $packet))
            (then
              (local.set $task (struct.get $task $next (local.get $task)))
              (br $turns)))
          (struct.set $task $held (local.get $task) (i32.const 0))))
      (if (i32.eqz (ref.is_null (local.get $packet)))
        (then
          (struct.set $task $queue (local.get $task) (struct.get $packet $link (local.get $packet)))))
      (struct.set $task $waiting (local.get $task)
        (call_ref $run (ref.as_non_null (local.get $task)) (local.get $packet)
          (struct.get $task $run (local.get $task))))
      (local.set $task (struct.get $task $next (local.get $task)))
      (br $turns)))
  (global.get $sum))
