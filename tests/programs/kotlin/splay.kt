// Splay trees: nodes come and go, and each look-up turns the tree around.

private class Payload(depth: Int, tag: Int) {
    val array: IntArray? = if (depth == 0) IntArray(10) { it } else null
    val text: String? = if (depth == 0) "String for key $tag in leaf node" else null
    val left: Payload? = if (depth > 0) Payload(depth - 1, tag) else null
    val right: Payload? = if (depth > 0) Payload(depth - 1, tag) else null
    fun count(): Int = 1 + (left?.count() ?: 0) + (right?.count() ?: 0)
}

private class SplayNode(val key: Int, val value: Payload?) {
    var left: SplayNode? = null
    var right: SplayNode? = null
}

private class SplayTree {
    private var root: SplayNode? = null

    fun insert(key: Int, value: Payload): Boolean {
        if (root == null) {
            root = SplayNode(key, value)
            return true
        }
        splay(key)
        val old = root!!
        if (old.key == key) return false
        val node = SplayNode(key, value)
        if (key > old.key) {
            node.left = old
            node.right = old.right
            old.right = null
        } else {
            node.right = old
            node.left = old.left
            old.left = null
        }
        root = node
        return true
    }

    fun remove(key: Int): SplayNode {
        splay(key)
        val removed = root!!
        check(removed.key == key)
        if (removed.left == null) {
            root = removed.right
        } else {
            root = removed.left
            splay(key)
            root!!.right = removed.right
        }
        return removed
    }

    fun find(key: Int): SplayNode? {
        splay(key)
        return root?.takeIf { it.key == key }
    }

    fun greatestBelow(key: Int): SplayNode? {
        splay(key)
        var at = root ?: return null
        if (at.key < key) return at
        at = at.left ?: return null
        while (true) at = at.right ?: return at
    }

    fun keys(): List<Int> {
        val keys = ArrayList<Int>()
        val path = ArrayList<SplayNode>()
        var at = root
        while (at != null || path.isNotEmpty()) {
            while (at != null) {
                path.add(at)
                at = at.left
            }
            val node = path.removeAt(path.lastIndex)
            keys.add(node.key)
            at = node.right
        }
        return keys
    }

    private fun splay(key: Int) {
        var current = root ?: return
        val dummy = SplayNode(0, null)
        var left = dummy
        var right = dummy
        while (true) {
            if (key < current.key) {
                var next = current.left ?: break
                if (key < next.key) {
                    current.left = next.right
                    next.right = current
                    current = next
                    next = current.left ?: break
                }
                right.left = current
                right = current
                current = next
            } else if (key > current.key) {
                var next = current.right ?: break
                if (key > next.key) {
                    current.right = next.left
                    next.left = current
                    current = next
                    next = current.right ?: break
                }
                left.right = current
                left = current
                current = next
            } else {
                break
            }
        }
        left.right = current.left
        right.left = current.right
        current.left = dummy.right
        current.right = dummy.left
        root = current
    }
}

fun splay(size: Int) {
    val tree = SplayTree()
    val random = Random(49)
    fun insertNew(): Int {
        while (true) {
            val key = random.next(1 shl 23)
            if (tree.insert(key, Payload(3, key))) return key
        }
    }
    repeat(size) { insertNew() }
    var payloads = 0
    repeat(size * 2) {
        val key = insertNew()
        val removed = tree.remove(tree.greatestBelow(key)?.key ?: key)
        payloads += removed.value!!.count()
    }
    val keys = tree.keys()
    check(keys.size == size && keys.zipWithNext().all { (a, b) -> a < b })
    println("${keys.size} keys, hash ${hashOf(keys)}, $payloads payloads removed")
    println("${keys.count { tree.find(it)?.value != null }} found, ${tree.find(-1) == null}")
}
