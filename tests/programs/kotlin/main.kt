// Programs for the test of garbage collection: main(NAME, SIZE) prints the same wherever Kotlin runs.

val programs: Map<String, (Int) -> Unit> = mapOf(
    "binarytrees" to ::binaryTrees,
    "bignum" to ::bigNumbers,
    "collections" to ::collections,
    "coroutines" to ::coroutines,
    "deltablue" to ::deltaBlue,
    "exceptions" to ::exceptions,
    "graph" to ::graph,
    "heap" to ::bigHeap,
    "json" to ::json,
    "lisp" to ::lisp,
    "numbers" to ::numbers,
    "richards" to ::richards,
    "shapes" to ::shapes,
    "sorting" to ::sorting,
    "splay" to ::splay,
    "strings" to ::strings,
)

fun start(arguments: List<String>) {
    val program = programs[arguments[0]] ?: throw IllegalArgumentException("no program ${arguments[0]}")
    program(arguments[1].toInt())
}

/** The same numbers everywhere. */
class Random(private var seed: Int) {
    fun next(below: Int): Int {
        seed = seed * 1103515245 + 12345
        return ((seed ushr 8) and 0xffffff) % below
    }
}

fun hashOf(values: Iterable<Int>): Int = values.fold(17) { hash, value -> hash * 31 + value }
