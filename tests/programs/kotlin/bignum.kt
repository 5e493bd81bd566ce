// Numbers of any length as arrays of digits: factorials, and digits of pi and e.

private class Natural(val digits: IntArray) : Comparable<Natural> {
    operator fun plus(other: Natural): Natural {
        val result = IntArray(maxOf(digits.size, other.digits.size) + 1)
        var carry = 0
        for (i in result.indices) {
            carry += digits.getOrElse(i) { 0 } + other.digits.getOrElse(i) { 0 }
            result[i] = carry % BASE
            carry /= BASE
        }
        return Natural(result).trimmed()
    }

    operator fun minus(other: Natural): Natural {
        val result = digits.copyOf()
        var borrow = 0
        for (i in result.indices) {
            val left = result[i] - borrow - other.digits.getOrElse(i) { 0 }
            borrow = if (left < 0) 1 else 0
            result[i] = left + borrow * BASE
        }
        check(borrow == 0) { "negative" }
        return Natural(result).trimmed()
    }

    operator fun times(factor: Int): Natural {
        val result = IntArray(digits.size + 3)
        var carry = 0L
        for (i in result.indices) {
            carry += digits.getOrElse(i) { 0 }.toLong() * factor
            result[i] = (carry % BASE).toInt()
            carry /= BASE
        }
        return Natural(result).trimmed()
    }

    operator fun times(other: Natural): Natural {
        val result = LongArray(digits.size + other.digits.size + 1)
        for (i in digits.indices) {
            var carry = 0L
            for (k in 0 until result.size - i) {
                carry += result[i + k] + digits[i].toLong() * other.digits.getOrElse(k) { 0 }
                result[i + k] = carry % BASE
                carry /= BASE
            }
        }
        return Natural(IntArray(result.size) { result[it].toInt() }).trimmed()
    }

    operator fun div(divisor: Int): Natural {
        val result = IntArray(digits.size)
        var rest = 0L
        for (i in digits.indices.reversed()) {
            rest = rest * BASE + digits[i]
            result[i] = (rest / divisor).toInt()
            rest %= divisor
        }
        return Natural(result).trimmed()
    }

    private fun trimmed(): Natural {
        val size = digits.indexOfLast { it != 0 } + 1
        return if (size == digits.size) this else Natural(digits.copyOf(size))
    }

    override fun compareTo(other: Natural): Int {
        if (digits.size != other.digits.size) return digits.size.compareTo(other.digits.size)
        val at = digits.indices.lastOrNull { digits[it] != other.digits[it] } ?: return 0
        return digits[at].compareTo(other.digits[at])
    }

    override fun equals(other: Any?) = other is Natural && compareTo(other) == 0
    override fun hashCode() = digits.contentHashCode()
    override fun toString(): String {
        if (digits.isEmpty()) return "0"
        return digits.reversed().mapIndexed { i, d -> if (i == 0) "$d" else "$d".padStart(4, '0') }.joinToString("")
    }

    companion object {
        const val BASE = 10000
        fun of(value: Int) = Natural(IntArray(3)) + Natural(intArrayOf(value % BASE, value / BASE % BASE, value / BASE / BASE))
    }
}

private fun power(base: Int, exponent: Int): Natural = when {
    exponent == 0 -> Natural.of(1)
    exponent % 2 == 1 -> power(base, exponent - 1) * base
    else -> power(base, exponent / 2).let { it * it }
}

/** arctan(1/x) * scale */
private fun arctan(x: Int, scale: Natural): Natural {
    val zero = Natural.of(0)
    var term = scale / x
    var plus = term
    var minus = zero
    var n = 3
    while (term > zero) {
        term = term / (x * x)
        if (n % 4 == 3) minus += term / n else plus += term / n
        n += 2
    }
    return plus - minus
}

fun bigNumbers(size: Int) {
    var factorial = Natural.of(1)
    for (i in 2..size) factorial *= i
    val text = factorial.toString()
    println("$size! has ${text.length} digits, with a sum of ${text.sumOf { it - '0' }}: ${text.take(20)}")
    check(power(2, 100).toString() == "1267650600228229401496703205376")
    println("3^$size = ${power(3, size).toString().takeLast(30)}")
    val scale = power(10, size + 10)
    val pi = (arctan(5, scale) * 4 - arctan(239, scale)) * 4
    println("pi: ${(pi / 100000 / 100000).toString().takeLast(60)}")
    var e = Natural.of(0)
    var term = scale
    var n = 1
    while (term > Natural.of(0)) {
        e += term
        term /= n++
    }
    println("e: ${(e / 100000 / 100000).toString().takeLast(60)} after $n terms")
    println(power(7, 11) == Natural.of(7) * power(7, 10))
}
