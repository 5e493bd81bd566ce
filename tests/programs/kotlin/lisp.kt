// An interpreter of a small Lisp: closures, lists, and its own programs.

private sealed class Value
private object Nil : Value()
private class Number(val value: Int) : Value()
private class Symbol(val name: String) : Value()
private class Pair2(val head: Value, val tail: Value) : Value()
private class Builtin(val apply: (List<Value>) -> Value) : Value()
private class Closure(val parameters: List<String>, val body: Value, val scope: Scope) : Value()

private class Scope(private val outer: Scope?) {
    private val names = HashMap<String, Value>()
    fun find(name: String): Value {
        var scope: Scope? = this
        while (scope != null) {
            scope.names[name]?.let { return it }
            scope = scope.outer
        }
        throw IllegalStateException("unbound: $name")
    }
    fun define(name: String, value: Value) {
        names[name] = value
    }
}

private fun items(list: Value): List<Value> {
    val result = ArrayList<Value>()
    var at = list
    while (at is Pair2) {
        result.add(at.head)
        at = at.tail
    }
    return result
}

private fun listOfValues(values: List<Value>): Value = values.foldRight(Nil as Value) { head, tail -> Pair2(head, tail) }

private fun show(value: Value): String = when (value) {
    Nil -> "()"
    is Number -> value.value.toString()
    is Symbol -> value.name
    is Pair2 -> items(value).joinToString(" ", "(", ")") { show(it) }
    is Builtin -> "builtin"
    is Closure -> "closure/${value.parameters.size}"
}

private fun parse(tokens: Iterator<String>): Value {
    val token = tokens.next()
    if (token != "(") return token.toIntOrNull()?.let { Number(it) } ?: Symbol(token)
    val list = ArrayList<Value>()
    var quoted = false
    while (true) {
        val more = peekable(tokens)
        if (more == ")") break
        list.add(if (more == "(") parse(chain("(", tokens)) else parse(listOf(more).iterator()))
        quoted = true
    }
    return if (quoted) listOfValues(list) else Nil
}

private fun peekable(tokens: Iterator<String>) = tokens.next()
private fun chain(first: String, rest: Iterator<String>) = object : Iterator<String> {
    private var begun = false
    override fun hasNext() = !begun || rest.hasNext()
    override fun next() = if (begun) rest.next() else first.also { begun = true }
}

private fun evaluate(value: Value, scope: Scope): Value = when (value) {
    is Symbol -> scope.find(value.name)
    is Pair2 -> form(value, scope)
    else -> value
}

private fun form(form: Pair2, scope: Scope): Value {
    val parts = items(form)
    when ((form.head as? Symbol)?.name) {
        "quote" -> return parts[1]
        "if" -> return evaluate(if (evaluate(parts[1], scope) !== Nil) parts[2] else parts[3], scope)
        "lambda" -> return Closure(items(parts[1]).map { (it as Symbol).name }, parts[2], scope)
        "define" -> return evaluate(parts[2], scope).also { scope.define((parts[1] as Symbol).name, it) }
    }
    val function = evaluate(form.head, scope)
    val arguments = parts.drop(1).map { evaluate(it, scope) }
    return when (function) {
        is Builtin -> function.apply(arguments)
        is Closure -> {
            val inner = Scope(function.scope)
            function.parameters.zip(arguments).forEach { (name, argument) -> inner.define(name, argument) }
            evaluate(function.body, inner)
        }
        else -> throw IllegalStateException("no function: ${show(function)}")
    }
}

private fun arithmetic(compute: (Int, Int) -> Int) =
    Builtin { (a, b) -> Number(compute((a as Number).value, (b as Number).value)) }

private fun test(compute: (Value, Value) -> Boolean) = Builtin { if (compute(it[0], it.getOrElse(1) { Nil })) Number(1) else Nil }

private fun globals() = Scope(null).apply {
    define("nil", Nil)
    define("+", arithmetic { a, b -> a + b })
    define("-", arithmetic { a, b -> a - b })
    define("*", arithmetic { a, b -> a * b })
    define("mod", arithmetic { a, b -> a % b })
    define("<", test { a, b -> (a as Number).value < (b as Number).value })
    define("null?", test { a, _ -> a === Nil })
    define("cons", Builtin { (a, b) -> Pair2(a, b) })
    define("head", Builtin { (it[0] as Pair2).head })
    define("tail", Builtin { (it[0] as Pair2).tail })
}

private val prelude = """
(define map (lambda (f l) (if (null? l) nil (cons (f (head l)) (map f (tail l))))))
(define fold (lambda (f a l) (if (null? l) a (fold f (f a (head l)) (tail l)))))
(define filter (lambda (p l) (if (null? l) nil (if (p (head l)) (cons (head l) (filter p (tail l))) (filter p (tail l))))))
(define range (lambda (a b) (if (< a b) (cons a (range (+ a 1) b)) nil)))
(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))
(define append (lambda (a b) (if (null? a) b (cons (head a) (append (tail a) b)))))
(define sort (lambda (l) (if (null? l) nil (append (sort (filter (lambda (x) (< x (head l))) (tail l)))
    (cons (head l) (sort (filter (lambda (x) (if (< x (head l)) nil 1)) (tail l))))))))
(define compose (lambda (f g) (lambda (x) (f (g x)))))
"""

private fun tokens(text: String) = text.replace("(", " ( ").replace(")", " ) ").split(' ', '\n').filter { it.isNotEmpty() }.iterator()

fun lisp(size: Int) {
    val scope = globals()
    val source = tokens(prelude)
    while (source.hasNext()) evaluate(parse(source), scope)
    for (line in listOf(
        "(fib $size)",
        "(fold + 0 (map (lambda (x) (* x x)) (range 0 (* $size 4))))",
        "(sort (map (lambda (x) (mod (* x 37) 101)) (range 0 $size)))",
        "((compose (lambda (x) (* 2 x)) (lambda (x) (+ x 1))) 20)",
        "(quote (a (b 3) ()))",
        "(map fib (quote (1 2 3 4 5 6 7 8)))",
        "(head 5)",
        "(unknown 1)",
        "(5 6)",
    )) {
        val result = try {
            show(evaluate(parse(tokens(line)), scope))
        } catch (e: ClassCastException) {
            "wrong type"
        } catch (e: IllegalStateException) {
            "error: ${e.message}"
        }
        println("$line -> $result")
    }
}
