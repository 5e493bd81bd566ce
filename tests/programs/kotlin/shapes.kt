// Classes, interfaces, generics, delegates, lambdas, and tests of types.

private interface Shape {
    val area: Int
    fun scaled(by: Int): Shape
    fun describe(): String = "${name()} of $area"
    fun name(): String
}
private interface Round
private interface Cornered {
    val corners: Int get() = 4
}
private data class Square(val side: Int) : Shape, Cornered {
    override val area get() = side * side
    override fun scaled(by: Int) = Square(side * by)
    override fun name() = "square"
}
private data class Circle(val radius: Int) : Shape, Round {
    override val area get() = radius * radius * 355 / 113
    override fun scaled(by: Int) = copy(radius = radius * by)
    override fun name() = "circle"
}
private open class Polygon(override val corners: Int, private val size: Int) : Shape, Cornered {
    override val area get() = corners * size
    override fun scaled(by: Int): Polygon = Polygon(corners, size * by)
    override fun name() = "polygon$corners"
}
private class Star(points: Int) : Polygon(points * 2, 3), Round {
    override fun name() = "star"
    override fun describe() = super.describe() + "!"
}
private class Named(private val label: String, inner: Shape) : Shape by inner {
    override fun name() = label
}
private class Group<out T : Shape>(val members: List<T>) : Shape {
    override val area get() = members.sumOf { it.area }
    override fun scaled(by: Int) = Group(members.map { it.scaled(by) })
    override fun name() = "group${members.size}"
}

private fun kind(shape: Any?): Int = when (shape) {
    null -> 0
    is Square -> 1
    is Star -> 2
    is Polygon -> 3 + shape.corners
    is Round -> 4
    is Group<*> -> 100 * shape.members.sumOf { kind(it) }
    is Cornered -> 5
    is Shape -> 6
    is Function1<*, *> -> 7
    is Array<*> -> 8
    is IntArray -> 9
    is CharSequence -> 10
    is Comparable<*> -> 11
    else -> 12
}

private inline fun <reified T> countOf(items: List<Any?>) = items.count { it is T }

private class Counter(start: Int) {
    var value = start
        private set
    val double by lazy { value * 2 }
    operator fun inc() = Counter(value + 1)
    infix fun plus(other: Counter) = Counter(value + other.value)
}

private fun compose(functions: List<(Int) -> Int>): (Int) -> Int = functions.fold({ it }) { f, g -> { g(f(it)) } }

fun shapes(size: Int) {
    val random = Random(1)
    val all = List(size) { i ->
        when (random.next(6)) {
            0 -> Square(i % 10)
            1 -> Circle(i % 7)
            2 -> Polygon(3 + i % 4, i % 9)
            3 -> Star(5)
            4 -> Named("n$i", Circle(i % 5))
            else -> Group(listOf(Square(2), Circle(i % 3), Star(4)))
        }
    }
    println(all.sumOf { it.area } + all.sumOf { it.scaled(3).area })
    println(hashOf(all.map { kind(it) }))
    println(all.take(12).joinToString { it.describe() })
    println("${countOf<Round>(all)} ${countOf<Cornered>(all)} ${countOf<Polygon>(all)} ${countOf<Star>(all)}")
    println(listOf(null, { x: Int -> x }, arrayOf(1), intArrayOf(1), "s", 3, 'c', Any(), object : Cornered {}).map { kind(it) })
    println(all.filterIsInstance<Square>().toSet().size + all.filterIsInstance<Circle>().distinct().size)
    println(compose(List(size) { i -> if (i % 2 == 0) { x -> x + i } else { x -> x xor i } })(7))
    var counter = Counter(1)
    val before = counter++
    println("${before.value} ${counter.value} ${(before plus counter).double} ${counter == before} ${Square(2) == Square(2)} ${Square(2) === Square(2)}")
    println("${Square(3)} ${Circle(4).copy(radius = 5)} ${Square(3).hashCode()}")
    var failed = 0
    for (shape in all) try {
        failed += (shape as Cornered).corners * 0
    } catch (e: ClassCastException) {
        failed++
    }
    println(failed)
}
