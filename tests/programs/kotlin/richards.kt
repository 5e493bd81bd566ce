// Richards: an operating system's kernel that schedules tasks which send packets to each other.

private const val IDLE = 0
private const val WORKER = 1
private const val HANDLER_A = 2
private const val HANDLER_B = 3
private const val DEVICE_A = 4
private const val DEVICE_B = 5
private const val DEVICE = 0
private const val WORK = 1

private class Packet(var link: Packet?, var id: Int, val kind: Int) {
    var datum = 0
    val data = IntArray(4)

    fun appendedTo(queue: Packet?): Packet {
        link = null
        if (queue == null) return this
        var last: Packet = queue
        while (true) last = last.link ?: break
        last.link = this
        return queue
    }
}

private abstract class Work(val scheduler: Scheduling) {
    abstract fun run(packet: Packet?): Block?
}

private class Block(val link: Block?, val id: Int, val priority: Int, var queue: Packet?, var pending: Boolean) {
    lateinit var work: Work
    var held = false
    var waiting = false

    fun isStopped() = held || (!pending && waiting)

    fun run(): Block? {
        var packet: Packet? = null
        if (waiting && pending) {
            packet = queue!!
            queue = packet.link
            waiting = false
            pending = queue != null
        }
        return work.run(packet)
    }

    fun accept(task: Block, packet: Packet): Block {
        val first = queue == null
        queue = packet.appendedTo(queue)
        if (first) {
            pending = true
            if (priority > task.priority) return this
        }
        return task
    }
}

private class Scheduling {
    val blocks = arrayOfNulls<Block>(6)
    private var list: Block? = null
    var current: Block? = null
    var queued = 0
    var heldCount = 0

    fun add(id: Int, priority: Int, queue: Packet?, work: Work, waiting: Boolean = true) {
        val block = Block(list, id, priority, queue, queue != null)
        block.work = work
        block.waiting = waiting
        list = block
        blocks[id] = block
    }

    fun run() {
        current = list
        while (true) {
            val block = current ?: return
            current = if (block.isStopped()) block.link else block.run()
        }
    }

    fun release(id: Int): Block? {
        val block = blocks[id] ?: return null
        block.held = false
        return if (block.priority > current!!.priority) block else current
    }

    fun hold(): Block? {
        heldCount++
        current!!.held = true
        return current!!.link
    }

    fun suspend(): Block? {
        current!!.waiting = true
        return current
    }

    fun queue(packet: Packet): Block? {
        val block = blocks[packet.id] ?: return null
        queued++
        packet.link = null
        packet.id = current!!.id
        return block.accept(current!!, packet)
    }
}

private class IdleWork(scheduler: Scheduling, var seed: Int, var count: Int) : Work(scheduler) {
    override fun run(packet: Packet?): Block? {
        if (--count == 0) return scheduler.hold()
        if (seed and 1 == 0) {
            seed = seed shr 1
            return scheduler.release(DEVICE_A)
        }
        seed = (seed shr 1) xor 0xd008
        return scheduler.release(DEVICE_B)
    }
}

private class DeviceWork(scheduler: Scheduling) : Work(scheduler) {
    private var held: Packet? = null
    override fun run(packet: Packet?): Block? {
        if (packet != null) {
            held = packet
            return scheduler.hold()
        }
        val ready = held ?: return scheduler.suspend()
        held = null
        return scheduler.queue(ready)
    }
}

private class WorkerWork(scheduler: Scheduling) : Work(scheduler) {
    private var to = HANDLER_A
    private var letter = 0
    override fun run(packet: Packet?): Block? {
        if (packet == null) return scheduler.suspend()
        to = if (to == HANDLER_A) HANDLER_B else HANDLER_A
        packet.id = to
        packet.datum = 0
        for (i in packet.data.indices) {
            letter = letter % 26 + 1
            packet.data[i] = letter
        }
        return scheduler.queue(packet)
    }
}

private class HandlerWork(scheduler: Scheduling) : Work(scheduler) {
    private var works: Packet? = null
    private var devices: Packet? = null
    override fun run(packet: Packet?): Block? {
        if (packet != null) {
            if (packet.kind == WORK) works = packet.appendedTo(works) else devices = packet.appendedTo(devices)
        }
        val work = works ?: return scheduler.suspend()
        if (work.datum >= 4) {
            works = work.link
            return scheduler.queue(work)
        }
        val device = devices ?: return scheduler.suspend()
        devices = device.link
        device.datum = work.data[work.datum++]
        return scheduler.queue(device)
    }
}

private fun packets(count: Int, id: Int, kind: Int): Packet? = (1..count).fold(null as Packet?) { link, _ -> Packet(link, id, kind) }

fun richards(size: Int) {
    var queued = 0
    var held = 0
    repeat(size) {
        val s = Scheduling()
        s.add(IDLE, 0, null, IdleWork(s, 1, 10000), waiting = false)
        s.add(WORKER, 1000, packets(2, WORKER, WORK), WorkerWork(s))
        s.add(HANDLER_A, 2000, packets(3, DEVICE_A, DEVICE), HandlerWork(s))
        s.add(HANDLER_B, 3000, packets(3, DEVICE_B, DEVICE), HandlerWork(s))
        s.add(DEVICE_A, 4000, null, DeviceWork(s))
        s.add(DEVICE_B, 5000, null, DeviceWork(s))
        s.run()
        queued += s.queued
        held += s.heldCount
    }
    check(queued == 23246 * size && held == 9297 * size) { "$queued packets, $held holds" }
    println("$queued packets, $held holds")
}
