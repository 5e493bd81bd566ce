// Runs several programs, each below a line that names it.
fun main(arguments: Array<String>) = arguments.toList().chunked(2).forEach { program ->
    println("== ${program.joinToString(" ")}")
    start(program)
}
