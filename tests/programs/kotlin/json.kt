// Reads and writes JSON.

private sealed interface Json
private data object Null : Json
private data class Bool(val value: Boolean) : Json
private data class Num(val value: Double) : Json
private data class Str(val value: String) : Json
private data class Arr(val items: List<Json>) : Json
private data class Obj(val members: Map<String, Json>) : Json

private class Malformed(at: Int, problem: String) : Exception("at $at: $problem")

private class Parser(private val text: String) {
    private var at = 0

    fun whole(): Json = value().also { if (peek() != '\u0000') fail("more text") }

    private fun fail(problem: String): Nothing = throw Malformed(at, problem)

    private fun peek(): Char {
        while (at < text.length && text[at] in " \n\t\r") at++
        return if (at < text.length) text[at] else '\u0000'
    }

    private fun eat(c: Char): Boolean = (peek() == c).also { if (it) at++ }
    private fun expect(c: Char) = eat(c) || fail("'$c' expected")

    private fun word(word: String, value: Json): Json {
        if (!text.startsWith(word, at)) fail("unknown word")
        at += word.length
        return value
    }

    private fun value(): Json = when (peek()) {
        '{' -> obj()
        '[' -> arr()
        '"' -> Str(string())
        't' -> word("true", Bool(true))
        'f' -> word("false", Bool(false))
        'n' -> word("null", Null)
        else -> number()
    }

    private fun number(): Json {
        val from = at
        while (at < text.length && (text[at].isDigit() || text[at] in "+-.eE")) at++
        return Num(text.substring(from, at).toDoubleOrNull() ?: fail("no number"))
    }

    private fun string(): String = buildString {
        at++
        while (true) {
            if (at >= text.length) fail("string without end")
            when (val c = text[at++]) {
                '"' -> return@buildString
                '\\' -> when (val escaped = text[at++]) {
                    'n' -> append('\n')
                    't' -> append('\t')
                    'u' -> append(text.substring(at, at + 4).toInt(16).toChar()).also { at += 4 }
                    else -> append(escaped)
                }
                else -> append(c)
            }
        }
    }

    private fun arr(): Json {
        at++
        val items = ArrayList<Json>()
        if (!eat(']')) {
            do items.add(value()) while (eat(','))
            expect(']')
        }
        return Arr(items)
    }

    private fun obj(): Json {
        at++
        val members = LinkedHashMap<String, Json>()
        if (!eat('}')) {
            do {
                if (peek() != '"') fail("name expected")
                val name = string()
                expect(':')
                members[name] = value()
            } while (eat(','))
            expect('}')
        }
        return Obj(members)
    }
}

private fun quoted(text: String) = buildString {
    append('"')
    for (c in text) when {
        c == '"' || c == '\\' -> append('\\').append(c)
        c == '\n' -> append("\\n")
        c < ' ' || c > '~' -> append("\\u").append(c.code.toString(16).padStart(4, '0'))
        else -> append(c)
    }
    append('"')
}

private fun StringBuilder.write(json: Json) {
    when (json) {
        Null -> append("null")
        is Bool -> append(json.value)
        is Num -> if (json.value == json.value.toLong().toDouble()) append(json.value.toLong()) else append(json.value)
        is Str -> append(quoted(json.value))
        is Arr -> {
            append('[')
            json.items.forEachIndexed { i, item -> if (i > 0) append(','); write(item) }
            append(']')
        }
        is Obj -> {
            append('{')
            json.members.entries.forEachIndexed { i, (name, value) ->
                if (i > 0) append(',')
                append(quoted(name)).append(':')
                write(value)
            }
            append('}')
        }
    }
}

private fun make(random: Random, depth: Int): Json = when (random.next(if (depth == 0) 4 else 7)) {
    0 -> Null
    1 -> Bool(random.next(2) == 0)
    2 -> Num((random.next(100000) - 50000) / 8.0)
    3 -> Str(List(random.next(12)) { "ab\"\\\n\u00e9\u4e16xyz 1"[random.next(12)] }.joinToString(""))
    4 -> Arr(List(random.next(6)) { make(random, depth - 1) })
    else -> Obj((0 until random.next(6)).associate { "k${random.next(50)}" to make(random, depth - 1) })
}

private fun count(json: Json): Int = 1 + when (json) {
    is Arr -> json.items.sumOf { count(it) }
    is Obj -> json.members.values.sumOf { count(it) }
    else -> 0
}

fun json(size: Int) {
    val random = Random(5)
    val document = Arr(List(size) { make(random, 5) })
    val text = buildString { write(document) }
    val back = Parser(text).whole()
    println("${text.length} characters, ${count(back)} values, ${text.fold(7) { hash, c -> hash * 31 + c.code }}")
    println(text.take(300))
    println("same: ${back == document}, ${buildString { write(back) } == text}")
    for (wrong in listOf("[1,2", "{\"a\" 1}", "[1,]", "\"abc", "tru", "{1:2}", "[] []", "1.2.3"))
        try {
            println(Parser(wrong).whole())
        } catch (e: Malformed) {
            println("$wrong: ${e.message}")
        }
    println(Parser(" { \"a\" : [ 1.5 , { \"b\" : null } , \"\\u0041\\t\" ] } ").whole())
}
