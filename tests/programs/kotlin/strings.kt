// Strings: building, splitting, replacing, comparing, regular expressions, and code units beyond ASCII.

private fun wordCounts(text: String) = text.split(Regex("[^a-z]+")).filter { it.isNotEmpty() }.groupingBy { it }.eachCount()

private fun caesar(text: String, by: Int) = buildString(text.length) {
    for (c in text) append(if (c in 'a'..'z') 'a' + (c - 'a' + by).mod(26) else c)
}

private fun longestCommon(a: String, b: String): String {
    val table = Array(a.length + 1) { Array(b.length + 1) { "" } }
    for (i in a.indices) for (k in b.indices)
        table[i + 1][k + 1] = if (a[i] == b[k]) table[i][k] + a[i] else maxOf(table[i][k + 1], table[i + 1][k], compareBy { it.length })
    return table[a.length][b.length]
}

private fun isPalindrome(text: String): Boolean {
    val letters = text.filter { it.isLetter() }.lowercase()
    return letters == letters.reversed()
}

fun strings(size: Int) {
    val random = Random(2)
    val text = buildString {
        repeat(size * 5) {
            append(listOf("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog")[random.next(9)])
            append(" ,.\n"[random.next(4)])
        }
    }
    println("${text.length} ${text.hashCode()}")
    println(wordCounts(text).entries.sortedBy { it.key }.joinToString { "${it.key} ${it.value}" })
    println(caesar(caesar(text, 7), -7) == text)
    println(longestCommon(text.take(60), text.substring(40, 110)))
    println(text.lines().filter { "fox" in it }.map { it.trim().length }.let { hashOf(it) })
    println(text.take(200).uppercase().replace("FOX", "cat").replace(' ', '_').substringAfter("cat").take(60).replace('\n', '|'))
    println("Kotlin".padStart(10, '*').padEnd(14, '-') + "a,b,,c".split(",") + "  x ".trim().repeat(3))
    println(listOf("banana", "apple", "Cherry", "apple pie", "äpfel", "").sorted() + listOf("b" > "a", "a".compareTo("B", ignoreCase = true) < 0))
    val wide = "gr\u00fc\u00dfe \u4e16\u754c \ud83d\ude00!"
    println("$wide ${wide.length} ${wide.encodeToByteArray().size} ${wide.map { it.code }.sum()} ${wide.uppercase()}")
    println(wide.encodeToByteArray().decodeToString() == wide)
    println(wide.encodeToByteArray().copyOf(9).decodeToString().length)
    println(Regex("(\\w+)@(\\w+)\\.com").findAll("ann@site.com, bob@mail.com; x@y.org").map { it.groupValues.drop(1) }.toList())
    println("2026-11-30".replace(Regex("(\\d+)-(\\d+)-(\\d+)"), "$3.$2.$1") + Regex("a|b*").replace("xabby", "-"))
    println(listOf("Never odd or even", "Kotlin", "A man a plan a canal Panama").map { isPalindrome(it) })
    var joined = ""
    for (i in 0 until size) joined += i % 10
    println("${joined.length} ${joined.chunked(7).takeLast(2)} ${joined.hashCode()}")
    val builder = StringBuilder("hello")
    builder.insert(0, "oh ").append(1).append('c').append(2.5).append(null as String?).reverse().setLength(12)
    builder.deleteAt(3).deleteRange(0, 2)
    println("$builder ${builder.indexOf("5")} ${builder[1]}")
    println("""|raw ${'$'}text
        |  second""".trimMargin().lines().joinToString("/"))
    println("%".let { it + "a\tb\\n" } + 'x'.code + "abc".toCharArray().concatToString().last() + "Zz".map { it.isUpperCase() })
}
