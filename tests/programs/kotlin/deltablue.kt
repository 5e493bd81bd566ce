// DeltaBlue: an incremental solver of constraints between variables, each of a strength.

private enum class Strength {
    REQUIRED, STRONG_PREFERRED, PREFERRED, STRONG_DEFAULT, NORMAL, WEAK_DEFAULT, WEAKEST;
    fun isStronger(than: Strength) = ordinal < than.ordinal
}

private fun weakest(a: Strength, b: Strength) = if (a.isStronger(b)) b else a

private class Variable(var value: Int) {
    val constraints = ArrayList<Constraint>()
    var determinedBy: Constraint? = null
    var mark = 0
    var strength = Strength.WEAKEST
    var stay = true
}

private abstract class Constraint(val strength: Strength) {
    abstract val isSatisfied: Boolean
    abstract val output: Variable
    open val isInput get() = false
    abstract fun addToGraph()
    abstract fun removeFromGraph()
    abstract fun chooseMethod(mark: Int)
    abstract fun markInputs(mark: Int)
    abstract fun inputsKnown(mark: Int): Boolean
    abstract fun markUnsatisfied()
    abstract fun recalculate()
    abstract fun execute()

    fun add(planner: Planner) {
        addToGraph()
        planner.incrementalAdd(this)
    }

    fun destroy(planner: Planner) {
        if (isSatisfied) planner.incrementalRemove(this) else removeFromGraph()
    }

    /** Returns the constraint that this one displaces. */
    fun satisfy(mark: Int, planner: Planner): Constraint? {
        chooseMethod(mark)
        if (!isSatisfied) {
            check(strength != Strength.REQUIRED) { "a required constraint cannot be satisfied" }
            return null
        }
        markInputs(mark)
        val overridden = output.determinedBy
        overridden?.markUnsatisfied()
        output.determinedBy = this
        check(planner.addPropagate(this, mark)) { "cycle" }
        output.mark = mark
        return overridden
    }
}

private abstract class UnaryConstraint(private val variable: Variable, strength: Strength, planner: Planner) : Constraint(strength) {
    final override var isSatisfied = false
        private set
    override val output get() = variable

    init {
        @Suppress("LeakingThis")
        add(planner)
    }

    override fun addToGraph() {
        variable.constraints.add(this)
        isSatisfied = false
    }

    override fun removeFromGraph() {
        variable.constraints.remove(this)
        isSatisfied = false
    }

    override fun chooseMethod(mark: Int) {
        isSatisfied = variable.mark != mark && strength.isStronger(variable.strength)
    }

    override fun markInputs(mark: Int) = Unit
    override fun inputsKnown(mark: Int) = true
    override fun markUnsatisfied() {
        isSatisfied = false
    }

    override fun recalculate() {
        variable.strength = strength
        variable.stay = !isInput
        if (variable.stay) execute()
    }
}

private class StayConstraint(variable: Variable, strength: Strength, planner: Planner) : UnaryConstraint(variable, strength, planner) {
    override fun execute() = Unit
}

private class EditConstraint(variable: Variable, strength: Strength, planner: Planner) : UnaryConstraint(variable, strength, planner) {
    override val isInput get() = true
    override fun execute() = Unit
}

private enum class Direction { NONE, FORWARD, BACKWARD }

private abstract class BinaryConstraint(val first: Variable, val second: Variable, strength: Strength) : Constraint(strength) {
    protected var direction = Direction.NONE
    override val isSatisfied get() = direction != Direction.NONE
    override val output get() = if (direction == Direction.FORWARD) second else first
    protected val input get() = if (direction == Direction.FORWARD) first else second

    override fun addToGraph() {
        first.constraints.add(this)
        second.constraints.add(this)
        direction = Direction.NONE
    }

    override fun removeFromGraph() {
        first.constraints.remove(this)
        second.constraints.remove(this)
        direction = Direction.NONE
    }

    override fun chooseMethod(mark: Int) {
        direction = when {
            first.mark == mark -> if (second.mark != mark && strength.isStronger(second.strength)) Direction.FORWARD else Direction.NONE
            second.mark == mark -> if (strength.isStronger(first.strength)) Direction.BACKWARD else Direction.NONE
            first.strength.isStronger(second.strength) -> if (strength.isStronger(second.strength)) Direction.FORWARD else Direction.NONE
            else -> if (strength.isStronger(first.strength)) Direction.BACKWARD else Direction.NONE
        }
    }

    override fun markInputs(mark: Int) {
        input.mark = mark
    }

    override fun inputsKnown(mark: Int) = input.mark == mark || input.stay || input.determinedBy == null
    override fun markUnsatisfied() {
        direction = Direction.NONE
    }

    override fun recalculate() {
        output.strength = weakest(strength, input.strength)
        output.stay = input.stay
        if (output.stay) execute()
    }
}

private class EqualConstraint(a: Variable, b: Variable, strength: Strength, planner: Planner) : BinaryConstraint(a, b, strength) {
    init {
        add(planner)
    }

    override fun execute() {
        output.value = input.value
    }
}

private class ScaleConstraint(
    from: Variable, private val scale: Variable, private val offset: Variable, to: Variable, strength: Strength, planner: Planner,
) : BinaryConstraint(from, to, strength) {
    init {
        add(planner)
    }

    override fun addToGraph() {
        super.addToGraph()
        scale.constraints.add(this)
        offset.constraints.add(this)
    }

    override fun removeFromGraph() {
        super.removeFromGraph()
        scale.constraints.remove(this)
        offset.constraints.remove(this)
    }

    override fun markInputs(mark: Int) {
        super.markInputs(mark)
        scale.mark = mark
        offset.mark = mark
    }

    override fun execute() {
        if (direction == Direction.FORWARD) second.value = first.value * scale.value + offset.value
        else first.value = (second.value - offset.value) / scale.value
    }

    override fun recalculate() {
        output.strength = weakest(strength, input.strength)
        output.stay = input.stay && scale.stay && offset.stay
        if (output.stay) execute()
    }
}

private class Planner {
    private var mark = 0

    fun incrementalAdd(constraint: Constraint) {
        mark++
        var overridden = constraint.satisfy(mark, this)
        while (overridden != null) overridden = overridden.satisfy(mark, this)
    }

    fun incrementalRemove(constraint: Constraint) {
        val output = constraint.output
        constraint.markUnsatisfied()
        constraint.removeFromGraph()
        val unsatisfied = removePropagate(output)
        for (strength in Strength.entries)
            for (other in unsatisfied) if (other.strength == strength) incrementalAdd(other)
    }

    fun plan(sources: List<Constraint>): List<Constraint> {
        val mark = ++this.mark
        val plan = ArrayList<Constraint>()
        val todo = ArrayList(sources)
        while (todo.isNotEmpty()) {
            val constraint = todo.removeAt(todo.lastIndex)
            if (constraint.output.mark == mark || !constraint.inputsKnown(mark)) continue
            plan.add(constraint)
            constraint.output.mark = mark
            addConsuming(constraint.output, todo)
        }
        return plan
    }

    fun addPropagate(constraint: Constraint, mark: Int): Boolean {
        val todo = arrayListOf(constraint)
        while (todo.isNotEmpty()) {
            val next = todo.removeAt(todo.lastIndex)
            if (next.output.mark == mark) {
                incrementalRemove(constraint)
                return false
            }
            next.recalculate()
            addConsuming(next.output, todo)
        }
        return true
    }

    private fun removePropagate(out: Variable): List<Constraint> {
        out.determinedBy = null
        out.strength = Strength.WEAKEST
        out.stay = true
        val unsatisfied = ArrayList<Constraint>()
        val todo = arrayListOf(out)
        while (todo.isNotEmpty()) {
            val variable = todo.removeAt(todo.lastIndex)
            unsatisfied.addAll(variable.constraints.filter { !it.isSatisfied })
            for (constraint in variable.constraints) if (constraint !== variable.determinedBy && constraint.isSatisfied) {
                constraint.recalculate()
                todo.add(constraint.output)
            }
        }
        return unsatisfied
    }

    private fun addConsuming(variable: Variable, to: MutableList<Constraint>) {
        for (constraint in variable.constraints)
            if (constraint !== variable.determinedBy && constraint.isSatisfied) to.add(constraint)
    }
}

private fun change(planner: Planner, variable: Variable, value: Int) {
    val edit = EditConstraint(variable, Strength.PREFERRED, planner)
    val plan = planner.plan(listOf(edit))
    repeat(10) {
        variable.value = value
        plan.forEach { it.execute() }
    }
    edit.destroy(planner)
}

private fun chain(size: Int): Int {
    val planner = Planner()
    val variables = List(size + 1) { Variable(0) }
    variables.zipWithNext { a, b -> EqualConstraint(a, b, Strength.REQUIRED, planner) }
    StayConstraint(variables.last(), Strength.STRONG_DEFAULT, planner)
    val edit = EditConstraint(variables[0], Strength.PREFERRED, planner)
    val plan = planner.plan(listOf(edit))
    var sum = 0
    for (i in 0 until 100) {
        variables[0].value = i
        plan.forEach { it.execute() }
        check(variables.last().value == i)
        sum += variables[size / 2].value
    }
    edit.destroy(planner)
    return sum
}

private fun projection(size: Int): Int {
    val planner = Planner()
    val scale = Variable(10)
    val offset = Variable(1000)
    val from = List(size) { Variable(it) }
    val to = List(size) { Variable(it) }
    for (i in 0 until size) {
        StayConstraint(from[i], Strength.NORMAL, planner)
        ScaleConstraint(from[i], scale, offset, to[i], Strength.REQUIRED, planner)
    }
    change(planner, from.last(), 17)
    check(to.last().value == 1170)
    change(planner, to.last(), 1050)
    check(from.last().value == 5)
    change(planner, scale, 5)
    for (i in 0 until size - 1) check(to[i].value == from[i].value * 5 + 1000)
    change(planner, offset, 2000)
    for (i in 0 until size - 1) check(to[i].value == from[i].value * 5 + 2000)
    return to.sumOf { it.value }
}

fun deltaBlue(size: Int) {
    println("chain: ${chain(size)}")
    println("projection: ${projection(size)}")
}
