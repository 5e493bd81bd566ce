// Exceptions through many frames, with finally, causes, and classes that are told apart.

private open class Fault(message: String, val code: Int, cause: Throwable? = null) : Exception(message, cause)
private class Deep(code: Int) : Fault("deep $code", code)
private class Wrapped(inner: Fault) : Fault("wrapped ${inner.message}", inner.code + 1, inner)

private class Trace {
    var hash = 1
    var count = 0
    fun note(event: Int) {
        hash = hash * 31 + event
        count++
    }
}

private fun descend(trace: Trace, depth: Int, kind: Int): Int {
    trace.note(depth)
    try {
        if (depth == 0) {
            when (kind) {
                0 -> throw Deep(depth)
                1 -> throw IllegalStateException("bottom")
                2 -> return intArrayOf(1, 2)[depth + 2 + kind]
                3 -> return (listOf<Any>("text")[0] as Int)
                4 -> return "x12".toInt()
                else -> return kind
            }
        }
        return descend(trace, depth - 1, kind) + 1
    } catch (e: Deep) {
        if (depth % 3 == 0) throw Wrapped(e)
        throw e
    } catch (e: Wrapped) {
        if (depth % 5 == 0) throw Wrapped(e)
        throw e
    } finally {
        trace.note(-depth)
    }
}

private fun attempt(trace: Trace, depth: Int, kind: Int): String = try {
    "result ${descend(trace, depth, kind)}"
} catch (e: Fault) {
    var chain = 0
    var at: Throwable? = e
    while (at != null) {
        chain++
        at = at.cause
    }
    "fault ${e.code} in $chain parts, ${e.message?.length}"
} catch (e: IllegalStateException) {
    "state ${e.message}"
} catch (e: IndexOutOfBoundsException) {
    "bounds"
} catch (e: ClassCastException) {
    "cast"
} catch (e: NumberFormatException) {
    "number"
}

private fun leave(kind: Int): String {
    val log = StringBuilder()
    outer@ for (i in 0..4) {
        for (k in 0..4) {
            try {
                if (k == kind) continue@outer
                if (i + k == 6) break@outer
                log.append(i * k)
            } finally {
                log.append('f')
            }
        }
    }
    return log.toString()
}

private fun inFinally(): Int {
    try {
        throw Deep(1)
    } finally {
        @Suppress("UNREACHABLE_CODE")
        return 42
    }
}

private class Resource(val name: String, val log: StringBuilder) : AutoCloseable {
    override fun close() {
        log.append("close $name;")
        if (name == "b") throw IllegalArgumentException("closing $name")
    }
}

fun exceptions(size: Int) {
    for (kind in 0..5) {
        val trace = Trace()
        val results = List(size / 10 + 1) { attempt(trace, it * 7 % 50, kind) }
        println("$kind: ${results.last()}, ${results.distinct().size} kinds, ${trace.count} events, ${trace.hash}")
    }
    println(leave(2))
    println(leave(9))
    println(inFinally())
    val log = StringBuilder()
    try {
        Resource("a", log).use { Resource("b", log).use { throw Deep(9) } }
    } catch (e: Fault) {
        println("$log ${e.message} ${e.suppressedExceptions.map { it.message }}")
    }
    println(runCatching { listOf(1).single { it == 2 } }.recover { (it as NoSuchElementException).let { -1 } }.getOrThrow())
    println(runCatching { error("told") }.exceptionOrNull()?.message)
    var caught = 0
    repeat(size) { i ->
        try {
            if (i % 3 == 0) throw Deep(i)
        } catch (e: Fault) {
            caught += e.code
        }
    }
    println(caught)
}
