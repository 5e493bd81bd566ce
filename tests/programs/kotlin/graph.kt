// Graphs: shortest paths with a heap of its own, components, topological order, and memoised recursion.

private class Edge(val to: Vertex, val length: Int)
private class Vertex(val id: Int) {
    val edges = mutableListOf<Edge>()
    var distance = Int.MAX_VALUE
    var component: Vertex? = null
}

private class PriorityQueue<T>(private val order: Comparator<T>) {
    private val items = ArrayList<T>()
    fun isNotEmpty() = items.isNotEmpty()
    fun add(item: T) {
        items.add(item)
        var at = items.lastIndex
        while (at > 0 && order.compare(items[at], items[(at - 1) / 2]) < 0) {
            swap(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }
    fun poll(): T {
        swap(0, items.lastIndex)
        val least = items.removeAt(items.lastIndex)
        var at = 0
        while (true) {
            val child = (2 * at + 1..2 * at + 2).filter { it < items.size }.minWithOrNull { a, b -> order.compare(items[a], items[b]) }
            if (child == null || order.compare(items[at], items[child]) <= 0) return least
            swap(at, child)
            at = child
        }
    }
    private fun swap(a: Int, b: Int) {
        val item = items[a]
        items[a] = items[b]
        items[b] = item
    }
}

private fun make(size: Int): List<Vertex> {
    val random = Random(size)
    val vertices = List(size) { Vertex(it) }
    for (vertex in vertices)
        repeat(1 + random.next(4)) { vertex.edges.add(Edge(vertices[random.next(size)], 1 + random.next(100))) }
    return vertices
}

private fun shortest(from: Vertex) {
    val queue = PriorityQueue<Pair<Int, Vertex>>(compareBy({ it.first }, { it.second.id }))
    from.distance = 0
    queue.add(0 to from)
    while (queue.isNotEmpty()) {
        val (distance, vertex) = queue.poll()
        if (distance > vertex.distance) continue
        for (edge in vertex.edges) {
            val further = distance + edge.length
            if (further < edge.to.distance) {
                edge.to.distance = further
                queue.add(further to edge.to)
            }
        }
    }
}

private fun root(vertex: Vertex): Vertex {
    val parent = vertex.component ?: return vertex
    return root(parent).also { vertex.component = it }
}

private val ways = HashMap<Pair<Int, Int>, Long>()
private fun waysTo(x: Int, y: Int): Long =
    if (x == 0 || y == 0) 1L else ways.getOrPut(x to y) { (waysTo(x - 1, y) + waysTo(x, y - 1)) % 1_000_007 }

fun graph(size: Int) {
    val vertices = make(size)
    shortest(vertices[0])
    val reached = vertices.filter { it.distance < Int.MAX_VALUE }
    println("${reached.size} reached, farthest ${reached.maxOf { it.distance }}, hash ${hashOf(reached.map { it.distance })}")
    for (vertex in vertices) for (edge in vertex.edges) {
        val a = root(vertex)
        val b = root(edge.to)
        if (a !== b) a.component = b
    }
    println(vertices.groupingBy { root(it) }.eachCount().values.sortedDescending().take(5))
    val mark = HashSet<Vertex>()
    val order = ArrayList<Vertex>()
    fun visit(vertex: Vertex) {
        if (!mark.add(vertex)) return
        vertex.edges.forEach { if (it.to.id > vertex.id) visit(it.to) }
        order.add(vertex)
    }
    vertices.forEach { visit(it) }
    println("${order.size} ${hashOf(order.map { it.id })}")
    println(waysTo(size / 10 + 2, size / 12 + 2))
}
