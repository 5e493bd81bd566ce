// A large live set of objects of all sizes, which changes all the time.

private class Cell(val id: Int, var next: Cell?, val data: Any)

private fun data(random: Random, id: Int): Any = when (random.next(6)) {
    0 -> IntArray(random.next(200)) { it xor id }
    1 -> ByteArray(random.next(3000)) { (it + id).toByte() }
    2 -> arrayOfNulls<Any>(random.next(50)).also { array -> for (i in array.indices step 3) array[i] = id + i }
    3 -> "text $id"
    4 -> DoubleArray(4) { it * 0.5 + id }
    else -> id.toLong() shl 20
}

private fun check(cell: Cell): Int = when (val data = cell.data) {
    is IntArray -> data.foldIndexed(1) { i, sum, value -> sum + (if (value == i xor cell.id) 1 else -1000000) }
    is ByteArray -> data.foldIndexed(2) { i, sum, value -> sum + (if (value == (i + cell.id).toByte()) 1 else -1000000) }
    is Array<*> -> 3 + data.withIndex().sumOf { (i, x) -> if (i % 3 == 0) (if (x == cell.id + i) 1 else -1000000) else (if (x == null) 0 else -1000000) }
    is String -> if (data == "text ${cell.id}") data.length else -1000000
    is DoubleArray -> (data.sum() * 2).toInt() - 8 * cell.id
    is Long -> if ((data shr 20).toInt() == cell.id) 6 else -1000000
    else -> -1000000
}

fun bigHeap(size: Int) {
    val random = Random(11)
    val table = arrayOfNulls<Cell>(size)
    var made = 0
    repeat(size * 4) {
        val at = random.next(size)
        table[at] = Cell(made, if (random.next(3) > 0) table[random.next(size)] else null, data(random, made++))
        if (random.next(4) == 0) table[random.next(size)]?.next = null
    }
    val seen = HashSet<Int>()
    var sum = 0
    var longest = 0
    for (head in table) {
        var at = head
        var length = 0
        while (at != null && length < 100) {
            if (seen.add(at.id)) sum += check(at)
            at = at.next
            length++
        }
        longest = maxOf(longest, length)
    }
    println("$made made, ${seen.size} live, longest $longest, sum $sum")
    val large = List(5) { n -> Array(size) { i -> if (i % 100 == 0) IntArray(n + 1) { i } else null } }
    println(large.sumOf { array -> array.filterNotNull().sumOf { it.sum() / it.size } })
    val matrix = Array(size / 10 + 1) { i -> DoubleArray(size / 20 + 1) { k -> (i * k).toDouble() } }
    println(matrix.sumOf { it.sum() }.toLong())
}
