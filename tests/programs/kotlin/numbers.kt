// Integers of all widths, floating point, characters, ranges, and what is boxed.

import kotlin.math.abs
import kotlin.math.sqrt

private fun mandelbrot(size: Int): Int {
    var inside = 0
    for (y in 0 until size) for (x in 0 until size) {
        val ci = 2.0 * y / size - 1.0
        val cr = 2.0 * x / size - 1.5
        var zr = 0.0
        var zi = 0.0
        var i = 0
        while (i < 50 && zr * zr + zi * zi < 4.0) {
            val r = zr * zr - zi * zi + cr
            zi = 2.0 * zr * zi + ci
            zr = r
            i++
        }
        if (i == 50) inside++
    }
    return inside
}

private class Body(val mass: Double, val at: DoubleArray, val speed: DoubleArray)

private fun bodies(steps: Int): Double {
    val all = List(5) { n -> Body(1.0 + n, DoubleArray(3) { k -> (n * 7 + k * 3) % 11 * 1.0 }, DoubleArray(3) { k -> (n - k) * 0.01 }) }
    repeat(steps) {
        for (a in all) for (b in all) if (a !== b) {
            val delta = DoubleArray(3) { b.at[it] - a.at[it] }
            val square = delta.sumOf { it * it } + 0.01
            val force = b.mass / (square * sqrt(square))
            for (k in 0..2) a.speed[k] += delta[k] * force * 0.001
        }
        for (a in all) for (k in 0..2) a.at[k] += a.speed[k] * 0.001
    }
    return all.sumOf { it.mass * it.speed.sumOf { v -> v * v } }
}

private fun mix(size: Int): Long {
    var hash = 0x1234567890abcdefL
    for (i in 0 until size) {
        hash = hash xor (i.toLong() * -0x61c8864680b583ebL)
        hash = hash.rotateLeft(13) * 5 + 0x52dce729
        hash = hash xor (hash ushr 29)
    }
    return hash
}

fun numbers(size: Int) {
    println(mandelbrot(size / 4 + 8))
    println((bodies(size) * 1e6).toLong())
    println(mix(size * 10))
    println("${Int.MAX_VALUE + 1} ${Long.MIN_VALUE - 1} ${(200.toByte() + 100).toShort()} ${(-1).toUInt()} ${(-1L).toULong() / 3u}")
    println("${-7 / 2} ${-7 % 2} ${(-7).floorDiv(2)} ${(-7).mod(2)} ${1 shl 33} ${-1 ushr 28} ${7.countOneBits()} ${1024.countTrailingZeroBits()}")
    println("${1e10.toInt()} ${Double.NaN.toInt()} ${(-0.5).toInt()} ${3.99f.toInt()} ${Long.MAX_VALUE.toDouble() == 9.223372036854775807e18}")
    println("${0.1 + 0.2} ${1.5f} ${-0.0} ${1.0 / 0} ${0.0 / 0.0} ${2.5e-3} ${123456.789}")
    println("${0.0 == -0.0} ${(0.0 as Any) == (-0.0 as Any)} ${Double.NaN == Double.NaN} ${listOf(Double.NaN).contains(Double.NaN)}")
    val boxes: List<Any> = List(size) { if (it % 4 == 0) it else if (it % 4 == 1) it.toLong() else if (it % 4 == 2) it / 2.0 else 'a' + it % 26 }
    println(boxes.sumOf { (it as? Int) ?: 0 } + boxes.filterIsInstance<Long>().sum() + boxes.filterIsInstance<Double>().sum().toLong() + boxes.count { it is Char && it in 'c'..'k' })
    println((1..size step 7).reversed().takeWhile { it > size / 2 }.sum() + ('a'..'z').filter { it.isLetter() && it !in "aeiou" }.size)
    println((1L..size).fold(1L) { a, b -> a * b % 998244353L })
    println("${"ff".toInt(16)} ${255.toString(2)} ${"-9223372036854775808".toLong()} ${"3.25e2".toDouble()} ${"x".toIntOrNull()} ${abs(-2.5)}")
    println(hashOf(List(20) { i -> (i * 0.37).hashCode() xor (i.toLong() shl 33).hashCode() xor "s$i".hashCode() xor true.compareTo(false) }))
    println(listOf(1, 2L, 3.5, 2.5f, 'c', "s", true, null, 7u, 8.toByte()).joinToString { "$it" })
}
