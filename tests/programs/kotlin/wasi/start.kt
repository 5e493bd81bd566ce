// A command has its arguments from WASI, for which the standard library has no function.
@file:OptIn(kotlin.wasm.unsafe.UnsafeWasmMemoryApi::class, ExperimentalWasmInterop::class)

import kotlin.wasm.WasmImport
import kotlin.wasm.unsafe.Pointer
import kotlin.wasm.unsafe.withScopedMemoryAllocator

@WasmImport("wasi_snapshot_preview1", "args_sizes_get")
private external fun argsSizesGet(count: Int, bytes: Int): Int

@WasmImport("wasi_snapshot_preview1", "args_get")
private external fun argsGet(pointers: Int, bytes: Int): Int

private fun text(from: Pointer): String {
    val bytes = generateSequence(from) { it + 1 }.map { it.loadByte() }.takeWhile { it != 0.toByte() }
    return bytes.toList().toByteArray().decodeToString()
}

private fun arguments(): List<String> = withScopedMemoryAllocator { allocator ->
    val sizes = allocator.allocate(8)
    check(argsSizesGet(sizes.address.toInt(), (sizes + 4).address.toInt()) == 0)
    val count = sizes.loadInt()
    val pointers = allocator.allocate(4 * count)
    val bytes = allocator.allocate((sizes + 4).loadInt())
    check(argsGet(pointers.address.toInt(), bytes.address.toInt()) == 0)
    (1 until count).map { text(Pointer((pointers + 4 * it).loadInt().toUInt())) }
}

fun main() = start(arguments())
