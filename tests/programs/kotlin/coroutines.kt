// Suspending functions, which the compiler makes state machines of: generators, and a scheduler of tasks with channels.

import kotlin.coroutines.Continuation
import kotlin.coroutines.EmptyCoroutineContext
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlin.coroutines.startCoroutine
import kotlin.coroutines.suspendCoroutine

private class Scheduler {
    private val ready = ArrayDeque<() -> Unit>()
    var steps = 0
    var failures = 0

    fun start(task: suspend () -> Unit) {
        ready.addLast {
            task.startCoroutine(object : Continuation<Unit> {
                override val context = EmptyCoroutineContext
                override fun resumeWith(result: Result<Unit>) {
                    if (result.isFailure) failures++
                }
            })
        }
    }

    suspend fun pause() = suspendCoroutine { next -> ready.addLast { next.resume(Unit) } }

    fun resumeLater(work: () -> Unit) = ready.addLast(work)

    fun run() {
        while (true) {
            val work = ready.removeFirstOrNull() ?: return
            steps++
            work()
        }
    }
}

private class Channel<T>(private val scheduler: Scheduler, private val room: Int) {
    private val items = ArrayDeque<T>()
    private val takers = ArrayDeque<Continuation<T>>()
    private val givers = ArrayDeque<Pair<T, Continuation<Unit>>>()
    private var closed = false

    suspend fun send(item: T) {
        val taker = takers.removeFirstOrNull()
        when {
            taker != null -> scheduler.resumeLater { taker.resume(item) }
            items.size < room -> items.addLast(item)
            else -> suspendCoroutine { givers.addLast(item to it) }
        }
    }

    suspend fun receive(): T {
        val item = items.removeFirstOrNull()
        if (item != null) {
            givers.removeFirstOrNull()?.let { (given, giver) ->
                items.addLast(given)
                scheduler.resumeLater { giver.resume(Unit) }
            }
            return item
        }
        givers.removeFirstOrNull()?.let { (given, giver) ->
            scheduler.resumeLater { giver.resume(Unit) }
            return given
        }
        if (closed) throw NoSuchElementException("closed")
        return suspendCoroutine { takers.addLast(it) }
    }

    fun close() {
        closed = true
        while (true) {
            val taker = takers.removeFirstOrNull() ?: return
            scheduler.resumeLater { taker.resumeWithException(NoSuchElementException("closed")) }
        }
    }
}

private val fibonacci = sequence {
    var a = 0L
    var b = 1L
    while (true) {
        yield(a)
        val sum = (a + b) % 1_000_000_007
        a = b
        b = sum
    }
}

private class Node(val left: Node?, val value: Int, val right: Node?)

private fun balanced(values: IntRange): Node? {
    if (values.isEmpty()) return null
    val middle = (values.first + values.last) / 2
    return Node(balanced(values.first until middle), middle, balanced(middle + 1..values.last))
}

private fun inOrder(node: Node?): Sequence<Int> = sequence {
    if (node == null) return@sequence
    yieldAll(inOrder(node.left))
    yield(node.value)
    yieldAll(inOrder(node.right))
}

private fun pipeline(size: Int) {
    val scheduler = Scheduler()
    val numbers = Channel<Int>(scheduler, 3)
    val squares = Channel<Int>(scheduler, 0)
    val log = StringBuilder()
    scheduler.start {
        for (i in 1..size) {
            numbers.send(i)
            if (i % 4 == 0) scheduler.pause()
        }
        scheduler.pause()
        numbers.close()
    }
    repeat(3) {
        scheduler.start {
            while (true) {
                val number = numbers.receive()
                squares.send(number * number % 1000)
            }
        }
    }
    var sum = 0
    scheduler.start {
        repeat(size - 3) { i ->
            sum = (sum * 31 + squares.receive()) % 1_000_003
            if (i % (size / 4) == 0) log.append(" ").append(sum)
        }
        log.append(" end")
        squares.close()
    }
    scheduler.run()
    println("sum $sum,$log; ${scheduler.steps} steps, ${scheduler.failures} failures")
}

fun coroutines(size: Int) {
    println(fibonacci.drop(size).take(5).toList())
    println(fibonacci.zip(fibonacci.drop(1)) { a, b -> a * b % 10007 }.take(size).sum())
    val order = inOrder(balanced(1..size))
    println("${order.count()} ${order.sum()} ${order.elementAt(size / 3)}")
    println(sequence { for (i in 1..4) yieldAll(sequence { repeat(i) { yield(it * i) } }) }.toList())
    pipeline(size)
}
