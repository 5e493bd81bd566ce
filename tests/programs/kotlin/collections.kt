// The collections of the standard library.

private data class Person(val name: String, val age: Int, val town: String?)

private enum class Colour { RED, GREEN, BLUE }

private fun people(count: Int): List<Person> {
    val random = Random(7)
    val names = listOf("Ada", "Bo", "Cy", "Dee", "Eve")
    val towns = listOf("Ulm", "Rom", null)
    return List(count) { Person(names[random.next(5)] + it, random.next(90), towns[random.next(3)]) }
}

private fun maps(size: Int) {
    val counts = HashMap<Int, Int>()
    val random = Random(3)
    repeat(size * 20) { counts.merge(random.next(size)) }
    val most = counts.entries.sortedWith(compareBy({ -it.value }, { it.key })).take(5)
    println(most.joinToString { "${it.key}: ${it.value}" })
    counts.keys.filter { it % 3 != 0 }.forEach { counts.remove(it) }
    println("${counts.size} left, ${counts.values.sum()} in all, ${counts.containsKey(3)}, ${counts[4]}")
    val linked = LinkedHashMap<String, MutableList<Int>>()
    for (i in 0 until size) linked.getOrPut("key${i % 17}") { mutableListOf() }.add(i * i)
    println(linked.entries.joinToString(";") { (key, values) -> "$key=${values.size}/${values.sum()}" })
    val colours = Colour.entries.associateWith { it.name.lowercase().reversed() }
    println(colours)
}

private fun HashMap<Int, Int>.merge(key: Int) {
    this[key] = (this[key] ?: 0) + 1
}

private fun lists(size: Int) {
    val all = people(size)
    println(all.groupBy { it.town }.entries.sortedBy { it.key ?: "" }.map { (town, group) -> town to group.size })
    println(all.filter { it.age > 85 }.map { it.name.dropLast(1) }.distinct().sorted().take(8))
    println(all.partition { it.age < 40 }.toList().map { it.size })
    println(all.maxByOrNull { it.age * 1000 + it.name.length }?.copy(town = "Oslo"))
    println(all.zipWithNext { a, b -> if (a.age < b.age) 1 else 0 }.sum())
    println(all.chunked(7) { group -> group.sumOf { it.age } }.windowed(3, 2).take(4))
    println(all.flatMap { listOf(it.age, it.name.length) }.runningFold(0) { a, b -> (a + b) % 1009 }.takeLast(5))
    val queue = ArrayDeque<Int>()
    for (i in 0 until size) {
        if (i % 3 == 2) queue.removeFirst() else if (i % 2 == 0) queue.addLast(i) else queue.addFirst(-i)
    }
    println("${queue.size} ${queue.take(5)} ${hashOf(queue)}")
    val list = (0 until size).toMutableList()
    list.removeAll { it % 5 == 0 }
    list.addAll(3, listOf(-1, -2, -3))
    list.subList(10, 15).clear()
    list.reverse()
    println("${list.size} ${list.takeLast(9)} ${list.indexOf(-2)} ${list.binarySearch(-5)}")
}

fun collections(size: Int) {
    lists(size)
    maps(size)
    val even = (0 until size).filter { it % 2 == 0 }.toSet()
    val third = (0 until size).filter { it % 3 == 0 }.toHashSet()
    println("${(even intersect third).size} ${(even union third).size} ${(even subtract third).take(4)} ${7 in even}")
    val lazily = generateSequence(1) { it * 3 % 1013 }.map { it + 1 }.filter { it % 2 == 0 }.take(size)
    println("${lazily.sum()} ${lazily.drop(2).first()} ${lazily.iterator().asSequence().count()}")
    val grid = Array(8) { row -> IntArray(8) { row * it } }
    grid[3].copyInto(grid[7], 2, 1, 6)
    grid[2].fill(9, 3)
    println(grid.joinToString("|") { it.joinToString(",") })
    println(buildMap { for (i in 1..5) put(i, listOf(i).plus(i * i)) })
    try {
        for (x in mutableListOf(1, 2, 3).apply { add(4) }.also { if (it.size == 4) it.iterator().next() }) check(x < 4)
    } catch (e: IllegalStateException) {
        println("stopped: ${e.message}")
    }
}
