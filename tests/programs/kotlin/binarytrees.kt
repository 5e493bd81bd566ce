// Many short-lived trees beside one that lives on.

private class Tree(val left: Tree?, val right: Tree?) {
    fun count(): Int = 1 + (left?.count() ?: 0) + (right?.count() ?: 0)
}

private fun tree(depth: Int): Tree = if (depth == 0) Tree(null, null) else Tree(tree(depth - 1), tree(depth - 1))

fun binaryTrees(size: Int) {
    val least = 4
    val most = maxOf(size, least + 2)
    println("stretch: ${tree(most + 1).count()}")
    val lasting = tree(most)
    for (depth in least..most step 2) {
        val times = 1 shl (most - depth + least)
        var sum = 0
        repeat(times) { sum += tree(depth).count() }
        println("$times trees of depth $depth: $sum")
    }
    println("lasting: ${lasting.count()}")
}
