// Sorting: by hand and by the library, numbers and objects, stable or not.

private class Item(val key: Int, val order: Int) : Comparable<Item> {
    override fun compareTo(other: Item) = key.compareTo(other.key)
}

private fun quick(a: IntArray, from: Int, to: Int) {
    if (from >= to) return
    val pivot = a[(from + to) / 2]
    var i = from
    var k = to
    while (i <= k) {
        while (a[i] < pivot) i++
        while (a[k] > pivot) k--
        if (i <= k) {
            val x = a[i]
            a[i++] = a[k]
            a[k--] = x
        }
    }
    quick(a, from, k)
    quick(a, i, to)
}

private fun <T : Comparable<T>> merged(list: List<T>): List<T> {
    if (list.size < 2) return list
    val left = merged(list.subList(0, list.size / 2))
    val right = merged(list.subList(list.size / 2, list.size))
    val result = ArrayList<T>(list.size)
    var i = 0
    var k = 0
    while (i < left.size || k < right.size)
        result.add(if (k == right.size || (i < left.size && left[i] <= right[k])) left[i++] else right[k++])
    return result
}

private fun heap(a: Array<Item>) {
    fun sink(from: Int, end: Int) {
        var at = from
        while (2 * at + 1 < end) {
            var child = 2 * at + 1
            if (child + 1 < end && a[child + 1] > a[child]) child++
            if (a[at] >= a[child]) return
            a[at] = a[child].also { a[child] = a[at] }
            at = child
        }
    }
    for (i in a.size / 2 downTo 0) sink(i, a.size)
    for (end in a.size - 1 downTo 1) {
        a[0] = a[end].also { a[end] = a[0] }
        sink(0, end)
    }
}

private fun <T : Comparable<T>> isSorted(list: List<T>) = list.zipWithNext().all { (a, b) -> a <= b }

fun sorting(size: Int) {
    val random = Random(size)
    val numbers = IntArray(size) { random.next(size * 2) - size }
    val items = numbers.mapIndexed { i, n -> Item(n / 4, i) }
    val copy = numbers.copyOf()
    quick(copy, 0, size - 1)
    println("quick: ${isSorted(copy.toList())} ${hashOf(copy.toList())}")
    println("library: ${numbers.sorted() == copy.toList()} ${numbers.sortedArrayDescending().toList() == copy.reversed()}")
    val stable = merged(items)
    println("merge: ${isSorted(stable)} ${hashOf(stable.map { it.order })}")
    println("sorted(): ${items.sorted().map { it.order } == stable.map { it.order }}")
    val array = items.toTypedArray()
    heap(array)
    println("heap: ${isSorted(array.toList())} ${hashOf(array.map { it.key })}")
    val words = numbers.take(200).map { "w" + it.toString(36) }
    println(words.sorted().take(10))
    println(words.sortedWith(compareByDescending<String> { it.length }.thenBy { it.reversed() }).take(10))
    println(numbers.map { it.toDouble() / 3 }.sortedDescending().take(4).map { (it * 1000).toInt() })
    println(numbers.map { it.toLong() shl 33 }.toLongArray().also { it.sort() }.toList().let { isSorted(it) })
    println(hashOf(numbers.groupBy { it % 10 }.toList().sortedBy { it.first }.flatMap { it.second.sorted() }))
    println(numbers.toMutableList().also { list -> list.sortBy { it xor 0x55 } }.let { hashOf(it) })
}
